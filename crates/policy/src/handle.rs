//! Which handles nobody can have, and which look too much alike.

use carillon_wire::Handle;

/// Handles that would pass for the operator, for the program or for a help line.
pub const RESERVED: &[&str] = &[
    "abuse",
    "account",
    "admin",
    "administrator",
    "anonymous",
    "api",
    "billing",
    "bot",
    "calls",
    "contact",
    "developer",
    "echo",
    "emergency",
    "everyone",
    "help",
    "helpdesk",
    "hostmaster",
    "info",
    "legal",
    "mail",
    "mod",
    "moderator",
    "nobody",
    "noreply",
    "null",
    "official",
    "operator",
    "owner",
    "police",
    "postmaster",
    "press",
    "privacy",
    "recovery",
    "root",
    "safety",
    "security",
    "server",
    "service",
    "settings",
    "somebody",
    "staff",
    "status",
    "support",
    "sysadmin",
    "system",
    "team",
    "test",
    "trust",
    "undefined",
    "unknown",
    "verified",
    "verify",
    "webmaster",
    "you",
];

/// Reserved wherever it stands in a handle: `carillon_help` passes for the program as well as `carillon` does.
const RESERVED_ANYWHERE: &str = "carillon";

/// Whether nobody can have this handle, be it written with look-alikes (`adm1n`, `s_upport`).
pub fn is_reserved(handle: &Handle) -> bool {
    let skeleton = skeleton(handle);
    skeleton.contains(&fold(RESERVED_ANYWHERE)) || RESERVED.iter().any(|name| fold(name) == skeleton)
}

/// What is left of a handle when look-alikes are folded into one. Two handles with the same skeleton can be
/// mistaken for each other, so a server gives out each skeleton once.
///
/// `_` is dropped; then `rn` → `m`, `vv` → `w`, `cl` and `c1` → `d`; then `0` → `o`, `1` and `l` → `i`, `2` → `z`,
/// `5` → `s`, `8` → `b`, `9` → `g`. No two digits fold into the same letter, so `anna1` and `anna2` can both live.
/// Not every look-alike is in here: what folds too much takes names from people who mean no harm.
pub fn skeleton(handle: &Handle) -> String {
    fold(handle.as_str())
}

/// Pairs come before single characters, so that `lucia` is not read as `luda`: of the class `1`, `l`, `i`, the
/// first two make a `d` beside `c`, and `i`, which does not, is what stands for the class.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut rest = text.chars().filter(|&c| c != '_').peekable();
    while let Some(c) = rest.next() {
        let pair = match (c, rest.peek()) {
            ('r', Some('n')) => Some('m'),
            ('v', Some('v')) => Some('w'),
            ('c', Some('l' | '1')) => Some('d'),
            _ => None,
        };
        if let Some(pair) = pair {
            rest.next();
            folded.push(pair);
            continue;
        }
        folded.push(match c {
            '0' => 'o',
            '1' | 'l' => 'i',
            '2' => 'z',
            '5' => 's',
            '8' => 'b',
            '9' => 'g',
            other => other,
        });
    }
    folded
}
