//! Lines that a person types while a call rings or is on.

use std::io::IsTerminal as _;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin, stdin};

/// What a typed line wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Answer,
    Decline,
    HangUp,
}

/// The terminal, if there is one: what is piped in is not meant for this.
pub(super) struct Keys(Option<Lines<BufReader<Stdin>>>);

impl Keys {
    pub(super) fn open() -> Self {
        Self(std::io::stdin().is_terminal().then(|| BufReader::new(stdin()).lines()))
    }

    pub(super) const fn are_there(&self) -> bool {
        self.0.is_some()
    }

    /// The next wish. Never comes without a terminal, or after its end. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> Key {
        while let Some(lines) = &mut self.0 {
            match lines.next_line().await {
                Ok(Some(line)) => {
                    if let Some(key) = key(&line) {
                        return key;
                    }
                }
                Ok(None) | Err(_) => self.0 = None,
            }
        }
        std::future::pending().await
    }
}

fn key(line: &str) -> Option<Key> {
    match line.trim().chars().next()?.to_ascii_lowercase() {
        'a' => Some(Key::Answer),
        'd' => Some(Key::Decline),
        'h' | 'q' => Some(Key::HangUp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_known_by_its_first_letter() {
        assert_eq!(key("a"), Some(Key::Answer));
        assert_eq!(key(" D\r"), Some(Key::Decline));
        assert_eq!(key("hang up"), Some(Key::HangUp));
        assert_eq!(key(""), None);
        assert_eq!(key("?"), None);
    }
}
