//! The committed corpora of the fuzz targets, and seeded walks and changes of the same.

mod corpus;

use arbitrary::Unstructured;

use self::corpus::corpus;
use super::*;

/// By xorshift64 (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.below(256) as u8).collect()
    }
}

#[test]
fn the_corpus_of_packets_runs() {
    for bytes in corpus("video_packets") {
        run(&Vec::<Operation>::arbitrary_take_rest(Unstructured::new(&bytes)).unwrap_or_default());
    }
}

#[test]
fn a_long_walk_of_arbitrary_operations_runs() {
    for seed in 1..60 {
        let bytes = Random(seed << 20 | 1).bytes(20_000);
        run(&Vec::<Operation>::arbitrary_take_rest(Unstructured::new(&bytes)).unwrap());
    }
}

fn step(random: &mut Random, vp8: bool) -> Operation {
    match random.below(40) {
        0 => Operation::Insert {
            vp8: random.below(9) == 0,
            sequence: random.below(12) as u16,
            timestamp: random.below(u64::from(u32::MAX)) as u32,
            marker: random.below(2) == 0,
            payload: random.bytes(40),
        },
        1 => Operation::Wait { ms: random.below(300) as u16 },
        2 => Operation::AwaitKeyframe,
        3 => Operation::RoundTrip { ms: random.below(900) as u16 },
        4 if random.below(20) == 0 => {
            Operation::Jump { sequence: random.below(65_536) as u16, timestamp: 1 << random.below(32) }
        }
        _ => Operation::Frame {
            vp8,
            keyframe: random.below(15) == 0,
            disposable: random.below(2) == 0,
            body: random.bytes(400),
            lost: if random.below(8) == 0 { 1 << random.below(8) } else { 0 },
            reversed: random.below(6) == 0,
            twice: random.below(6) == 0,
        },
    }
}

#[test]
fn a_long_walk_of_a_sender_that_mostly_behaves_gives_frames_out() {
    for seed in 1..60 {
        let mut random = Random(seed << 20 | 1);
        let operations: Vec<_> = (0..2_000).map(|_| step(&mut random, seed % 2 == 0)).collect();
        let stats = run(&operations);
        assert!(stats.frames > 300 && stats.skipped > 0, "{seed}: {stats:?}");
    }
}

/// The corpus, then so many changes of it, by a seed: bytes that differ, pieces that are missing or come twice.
fn decode_all(target: &str, codec: VideoCodec) {
    let corpus = corpus(target);
    corpus.iter().for_each(|stream| decode(codec, stream));
    let mut random = Random(0x5EED);
    for round in 0..400 {
        let mut stream = corpus[round % corpus.len()].clone();
        for _ in 0..=random.below(6) {
            if stream.is_empty() {
                break;
            }
            let at = random.below(stream.len() as u64) as usize;
            let end = (at + random.below(30) as usize).min(stream.len());
            match random.below(5) {
                0 => drop(stream.drain(at..end)),
                1 => stream.extend_from_within(at..end),
                _ => stream[at] = random.below(256) as u8,
            }
        }
        decode(codec, &stream);
    }
}

#[test]
fn streams_of_h264_and_changes_of_them_are_harmless() {
    decode_all("h264_decoder", VideoCodec::H264);
}

#[test]
fn streams_of_vp8_and_changes_of_them_are_harmless() {
    decode_all("vp8_decoder", VideoCodec::Vp8);
}
