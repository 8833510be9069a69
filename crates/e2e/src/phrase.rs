//! The recovery phrase: the account key as 24 words (BIP-39, 32 bytes of entropy), shown once.
//!
//! The words are the key itself, without a passphrase: whoever has them has the account.

use std::fmt;

use bip39::Mnemonic;
use zeroize::Zeroizing;

use crate::keys::AccountKey;

/// Words of a phrase.
pub const WORDS: usize = 24;

/// Which word list a phrase is written with. The same key has a phrase in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// The English list of BIP-39.
    #[default]
    English,
    /// The French one.
    French,
}

impl Language {
    const fn list(self) -> bip39::Language {
        match self {
            Self::English => bip39::Language::English,
            Self::French => bip39::Language::French,
        }
    }
}

/// Why a text is no recovery phrase. Never holds a word of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// Not 24 words.
    #[error("a recovery phrase has 24 words, and these are {found}")]
    WordCount {
        /// How many there were.
        found: usize,
    },
    /// A word that is not in the list.
    #[error("word {position} is not in the list of words")]
    UnknownWord {
        /// Which one, counted from 1.
        position: usize,
    },
    /// All words are in the list, but they don't belong together.
    #[error("the words do not belong together: two may be swapped, or one may be another word of the list")]
    Checksum,
}

/// A recovery phrase. Wiped when dropped, and hidden from `Debug`.
pub struct Phrase(Mnemonic);

impl Phrase {
    /// The phrase of an account key.
    pub fn of(key: &AccountKey, language: Language) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "BIP-39 has a phrase for every entropy of 16 to 32 bytes in steps of 4"
        )]
        let mnemonic = Mnemonic::from_entropy_in(language.list(), key.secret().as_slice()).expect("32 bytes");
        Self(mnemonic)
    }

    /// Reads a phrase as a person types or pastes it, in either language: case, accents, line breaks, numbers and
    /// punctuation between the words don't matter.
    ///
    /// # Errors
    /// [`PhraseError`]. For an unknown word, the language is taken to be that of most words.
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let typed = words(text);
        if typed.len() != WORDS {
            return Err(PhraseError::WordCount { found: typed.len() });
        }
        let english = lookup(&typed, Language::English);
        let french = lookup(&typed, Language::French);
        let known = |words: &[Option<&str>]| words.iter().flatten().count();
        // Some words are in both lists, so a phrase may be one in both, with a checksum that fits one of them.
        if known(&english) == WORDS && known(&french) == WORDS {
            return assemble(&english, Language::English).or_else(|_| assemble(&french, Language::French));
        }
        if known(&french) > known(&english) {
            assemble(&french, Language::French)
        } else {
            assemble(&english, Language::English)
        }
    }

    /// The account key that the phrase restores.
    pub fn account_key(&self) -> AccountKey {
        let (entropy, _) = self.0.to_entropy_array();
        let entropy = Zeroizing::new(entropy);
        let mut secret = Zeroizing::new([0; 32]);
        secret.iter_mut().zip(entropy.iter()).for_each(|(to, from)| *to = *from);
        AccountKey::from_secret(&secret)
    }

    /// The words in order.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.words()
    }

    /// The words with single spaces between them, wiped when dropped.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(self.words().collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phrase([redacted])")
    }
}

/// Lower case without accents: what is left of a word when it is typed on a foreign keyboard. BIP-39 has no two words
/// in a list that differ in no more than accents.
fn fold(text: &str) -> Zeroizing<String> {
    let mut decomposed = std::borrow::Cow::Borrowed(text);
    Mnemonic::normalize_utf8_cow(&mut decomposed);
    let folded = decomposed
        .chars()
        .filter(|c| !('\u{300}'..='\u{36f}').contains(c))
        .flat_map(char::to_lowercase)
        .collect::<String>()
        .replace('œ', "oe");
    if let std::borrow::Cow::Owned(decomposed) = decomposed {
        drop(Zeroizing::new(decomposed));
    }
    Zeroizing::new(folded)
}

fn words(text: &str) -> Vec<Zeroizing<String>> {
    fold(text)
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
        .map(|word| Zeroizing::new(word.to_owned()))
        .collect()
}

/// The list's own spelling of each word.
fn lookup(typed: &[Zeroizing<String>], language: Language) -> Vec<Option<&'static str>> {
    let list = language.list().word_list();
    let folded: Vec<_> = list.iter().map(|word| fold(word)).collect();
    let find = |typed: &Zeroizing<String>| {
        let position = folded.iter().position(|word| word == typed)?;
        list.get(position).copied()
    };
    typed.iter().map(find).collect()
}

fn assemble(words: &[Option<&'static str>], language: Language) -> Result<Phrase, PhraseError> {
    if let Some(index) = words.iter().position(Option::is_none) {
        return Err(PhraseError::UnknownWord { position: index + 1 });
    }
    let text = Zeroizing::new(words.iter().flatten().copied().collect::<Vec<_>>().join(" "));
    Mnemonic::parse_in_normalized(language.list(), &text).map(Phrase).map_err(|_| PhraseError::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_keeps_the_words_of_each_list_apart() {
        for language in [Language::English, Language::French] {
            let folded: std::collections::BTreeSet<_> =
                language.list().word_list().iter().map(|word| fold(word).to_string()).collect();
            assert_eq!(folded.len(), 2048, "{language:?}");
            assert!(folded.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
        }
    }
}
