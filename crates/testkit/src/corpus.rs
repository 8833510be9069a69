//! The corpora of the fuzz targets (`fuzz/corpus/TARGET`), and seeded changes of what lies in them: a short run of each
//! target on every machine, with any compiler.

use std::io;
use std::path::Path;

/// What lies in the corpus of a target, in the order of the file names.
///
/// # Errors
/// When there is no such corpus, or none of its files can be read.
pub fn corpus(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files = std::fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.sort();
    let files = files.iter().map(std::fs::read).collect::<io::Result<Vec<_>>>()?;
    if files.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(files) }
}

/// Runs a target on its corpus, then on so many changes of it, the same in every run.
///
/// # Panics
/// When there is no corpus, and when the target does.
#[expect(clippy::expect_used, reason = "for tests alone")]
pub fn run(target: &str, changes: usize, run: impl Fn(&[u8])) {
    let corpus = corpus(target).expect("the corpus of the target");
    corpus.iter().for_each(|input| run(input));
    let mut mutations = Mutations::new(0x5EED);
    for round in 0..changes {
        let (Some(seed), Some(other)) =
            (corpus.get(round % corpus.len()), corpus.get(mutations.below(corpus.len())))
        else {
            continue;
        };
        run(&mutations.change(seed, other));
    }
}

/// Changes, drops, doubles, cuts and joins pieces of what is well formed, by a seed.
#[derive(Debug, Clone)]
pub struct Mutations(u64);

impl Mutations {
    /// The same seed makes the same changes.
    pub const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Below `bound`, which is not 0. By xorshift64 (Marsaglia 2003).
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // Below a `usize`, so it is one.
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or_default()
    }

    /// An input with a few changes, in part by pieces of another one.
    pub fn change(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1).min(bytes.len());
            let end = (at + self.below(40)).min(bytes.len());
            match self.below(7) {
                0 => {
                    let value = self.below(256);
                    if let (Some(byte), Ok(value)) = (bytes.get_mut(at), u8::try_from(value)) {
                        *byte = value;
                    }
                }
                1 => drop(bytes.drain(at..end)),
                2 => bytes.extend_from_within(at..end),
                3 => bytes.truncate(at),
                4 => bytes.splice(at..at, *b"4294967296").for_each(drop),
                5 => self.swap_lines(&mut bytes),
                _ => {
                    let from = self.below(other.len() + 1).min(other.len());
                    let to = (from + self.below(60)).min(other.len());
                    let piece = other.get(from..to).unwrap_or_default();
                    bytes.splice(at..at, piece.iter().copied()).for_each(drop);
                }
            }
        }
        bytes
    }

    /// Most of what is interesting in a text is well-formed lines in the wrong place.
    fn swap_lines(&mut self, bytes: &mut Vec<u8>) {
        let mut lines: Vec<_> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
        if lines.is_empty() {
            return;
        }
        let (one, other) = (self.below(lines.len()), self.below(lines.len()));
        match self.below(3) {
            0 => lines.swap(one, other),
            1 => {
                lines.remove(one);
            }
            _ => {
                let line = lines.get(other).copied().unwrap_or_default();
                lines.insert(one, line);
            }
        }
        *bytes = lines.concat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_changes_and_any_input_can_be_changed() {
        let (mut one, mut other) = (Mutations::new(7), Mutations::new(7));
        for seed in [&b""[..], b"a", b"two\nlines\n", &[0; 300]] {
            for _ in 0..200 {
                assert_eq!(one.change(seed, b"other\nthing"), other.change(seed, b"other\nthing"));
            }
        }
    }

    #[test]
    fn a_target_without_a_corpus_is_an_error() {
        assert!(corpus("no_such_target").is_err());
    }
}
