//! The recovery phrase: the key as words, and typed words as the key.

use carillon_e2e::phrase::{Language, PhraseError};
use carillon_e2e::{AccountKey, Phrase};

use crate::fixture::rng;

fn key() -> AccountKey {
    AccountKey::generate(&mut rng(1))
}

fn words(language: Language) -> Vec<&'static str> {
    Phrase::of(&key(), language).words().collect()
}

fn parse(text: &str) -> Result<AccountKey, PhraseError> {
    Phrase::parse(text).map(|phrase| phrase.account_key())
}

#[test]
fn the_phrase_restores_the_key_in_both_languages() {
    for seed in 0..50 {
        let key = AccountKey::generate(&mut rng(seed));
        for language in [Language::English, Language::French] {
            let text = Phrase::of(&key, language).to_text();
            assert_eq!(text.split(' ').count(), 24);
            assert_eq!(parse(&text).unwrap().secret(), key.secret(), "{language:?}");
        }
    }
}

#[test]
fn case_spaces_numbers_and_line_breaks_do_not_matter() {
    let words = words(Language::English);
    let numbered: String = words
        .iter()
        .enumerate()
        .map(|(n, word)| format!(" {}.\t{}\r\n", n + 1, word.to_uppercase()))
        .collect();
    assert_eq!(parse(&numbered).unwrap().id(), key().id());
    assert_eq!(parse(&words.join(", ")).unwrap().id(), key().id());
}

#[test]
fn accents_may_be_left_out_or_composed_either_way() {
    // The list spells an accented letter as two characters.
    let text = (0..=255_u8)
        .map(|byte| Phrase::of(&AccountKey::from_secret(&[byte; 32]), Language::French).to_text())
        .find(|text| text.contains("e\u{301}"))
        .unwrap();
    let expected = parse(&text).unwrap().id();
    assert_eq!(parse(&text.replace(['\u{301}', '\u{300}'], "")).unwrap().id(), expected);
    assert_eq!(parse(&text.replace("e\u{301}", "é").replace("e\u{300}", "è")).unwrap().id(), expected);
    assert_eq!(parse(&text.replace("e\u{301}", "É")).unwrap().id(), expected);
}

#[test]
fn an_unknown_word_is_named_by_its_position() {
    for language in [Language::English, Language::French] {
        for position in 1..=24 {
            let mut words = words(language);
            words[position - 1] = "carillon";
            let refused = Phrase::parse(&words.join(" ")).unwrap_err();
            assert_eq!(refused, PhraseError::UnknownWord { position }, "{language:?}");
        }
    }
    let refused = PhraseError::UnknownWord { position: 7 };
    assert_eq!(refused.to_string(), "word 7 is not in the list of words");
}

#[test]
fn too_few_or_too_many_words_are_counted() {
    let words = words(Language::English);
    assert_eq!(parse("").unwrap_err(), PhraseError::WordCount { found: 0 });
    assert_eq!(parse(&words[..12].join(" ")).unwrap_err(), PhraseError::WordCount { found: 12 });
    let twice = words.join(" ") + " " + words[0];
    assert_eq!(parse(&twice).unwrap_err(), PhraseError::WordCount { found: 25 });
}

#[test]
fn swapped_words_are_noticed() {
    let mut words = words(Language::English);
    words.swap(0, 23);
    assert_eq!(parse(&words.join(" ")).unwrap_err(), PhraseError::Checksum);
}

#[test]
fn debug_and_errors_show_no_word() {
    let phrase = Phrase::of(&key(), Language::English);
    assert_eq!(format!("{phrase:?}"), "Phrase([redacted])");
}
