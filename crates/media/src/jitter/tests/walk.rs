//! The committed corpus of the fuzz target, and a seeded walk of the same operations.

use arbitrary::{Arbitrary, Unstructured};

use super::Random;
use crate::jitter::operations::{Operation, run};

#[test]
fn the_corpus_of_the_fuzz_target_runs() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/jitter_buffer");
    let mut files = 0;
    #[expect(clippy::disallowed_methods, reason = "a test reads its corpus")]
    for entry in std::fs::read_dir(corpus).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        run(&Vec::<Operation>::arbitrary_take_rest(Unstructured::new(&bytes)).unwrap_or_default());
        files += 1;
    }
    assert!(files > 0);
}

#[test]
fn a_long_walk_of_arbitrary_operations_runs() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let bytes: Vec<u8> = (0..20_000).map(|_| (random.next() * 256.0) as u8).collect();
        run(&Vec::<Operation>::arbitrary_take_rest(Unstructured::new(&bytes)).unwrap());
    }
}

#[test]
fn a_long_walk_of_a_sender_that_mostly_behaves_runs() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let operations: Vec<_> = (0..4_000).map(|_| step(&mut random)).collect();
        run(&operations);
    }
}

fn step(random: &mut Random) -> Operation {
    let kind = (random.next() * 256.0) as u8;
    let often = |random: &mut Random, share: f64| random.next() < share;
    match (random.next() * 100.0) as u32 {
        0..45 => Operation::Next,
        45..90 => Operation::Follow {
            lost: if often(random, 0.1) { kind } else { 0 },
            kind: if often(random, 0.1) { kind } else { 2 },
            silence: if often(random, 0.02) { u16::from(kind) * 200 } else { 0 },
        },
        90..97 => Operation::Wait { ms: kind.into() },
        97..98 => Operation::Flood { packets: 150 },
        98..99 => Operation::Jump {
            sequence: (random.next() * 65_536.0) as u16,
            timestamp: (random.next() * f64::from(u32::MAX)) as u32,
        },
        _ => Operation::Insert {
            sequence: u16::from(kind),
            timestamp: u32::from(kind) * 480,
            late_ms: kind.into(),
            payload: vec![kind; usize::from(kind) * 7],
        },
    }
}
