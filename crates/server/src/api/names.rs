//! Handles and names as people type them.

use carillon_policy::handle::is_reserved;
use carillon_wire::limits::{MAX_DEVICE_NAME_CHARS, MAX_NAME_CHARS};
use carillon_wire::{Code, Handle};

/// A handle that somebody may have, if nobody has it.
pub(super) fn handle(typed: &str) -> Result<Handle, Code> {
    let handle = Handle::parse(typed).map_err(|_| Code::HandleInvalid)?;
    if is_reserved(&handle) { Err(Code::HandleReserved) } else { Ok(handle) }
}

/// A display name.
pub(super) fn display(typed: &str) -> Result<String, Code> {
    name(typed, MAX_NAME_CHARS)
}

/// A device's name.
pub(super) fn device(typed: &str) -> Result<String, Code> {
    name(typed, MAX_DEVICE_NAME_CHARS)
}

fn name(typed: &str, max_chars: usize) -> Result<String, Code> {
    let name = typed.trim();
    let visible = name.chars().any(|c| !is_blank(c));
    if !visible || name.chars().count() > max_chars || name.chars().any(is_forbidden) {
        return Err(Code::NameInvalid);
    }
    Ok(name.to_owned())
}

/// Characters that take part in a name without being seen.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{2800}' | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        )
}

/// Control characters, line breaks, and what turns the direction of the text around it (Unicode Standard Annex 9,
/// section 2): a name must not reach beyond itself. Private-use characters and non-characters show nothing that two
/// people would see alike.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{206a}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' | '\u{e0001}'
                | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_kept_as_they_are_written() {
        for name in ["Ada", "Ada Lovelace", "Иван", "آدا", "艾达", "👩‍🚀 Ada", "O'Neil-Ødegård"]
        {
            assert_eq!(display(&format!("  {name} \n")).as_deref(), Ok(name));
        }
        assert_eq!(display(&"é".repeat(50)).map(|name| name.chars().count()), Ok(50));
        assert_eq!(device(&"x".repeat(40)).map(|name| name.len()), Ok(40));
    }

    #[test]
    fn names_that_are_empty_too_long_or_reach_beyond_themselves_are_refused() {
        let long = "x".repeat(51);
        for name in [
            "",
            "   ",
            "\u{200b}\u{200d}",
            "a\u{7}b",
            "a\nb",
            "a\u{202e}b",
            "\u{2066}ada",
            "a\u{2028}b",
            "\u{0}",
            &long,
        ] {
            assert_eq!(display(name), Err(Code::NameInvalid), "{name:?}");
        }
        assert_eq!(device(&"x".repeat(41)), Err(Code::NameInvalid));
    }

    #[test]
    fn handles_are_checked_for_form_and_for_what_is_reserved() {
        assert_eq!(handle("@Ada_1").map(|handle| handle.as_str().to_owned()).as_deref(), Ok("ada_1"));
        for typed in ["ad", "ada\u{0}", "ada lovelace", "1ada", "ada\u{202e}"] {
            assert_eq!(handle(typed), Err(Code::HandleInvalid), "{typed:?}");
        }
        for typed in ["admin", "adm1n", "carillon_help"] {
            assert_eq!(handle(typed), Err(Code::HandleReserved), "{typed}");
        }
    }
}
