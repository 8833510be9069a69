//! The packets that wait for their turn, in a room of fixed size.

use super::Samples;

/// The most bytes of a payload: what fits into an Ethernet frame.
pub const MAX_PAYLOAD: usize = 1_500;
/// The most packets that wait. With the shortest packets of Opus (2.5 ms) that is 640 ms.
pub const MAX_PACKETS: usize = 256;

/// A packet that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// The timestamp of its first sample.
    pub start: Samples,
    /// How long its sound is.
    pub samples: usize,
    /// Its sequence number, without wraps.
    pub sequence: i64,
    /// When it came.
    pub arrival: Samples,
    slot: usize,
    bytes: usize,
}

impl Held {
    /// The timestamp of the first sample after it.
    pub(super) fn end(&self) -> Samples {
        self.start.saturating_add(self.samples as Samples)
    }
}

/// What came of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    Kept,
    /// There was no room: the oldest went.
    InPlaceOfTheOldest,
    Duplicate,
}

/// Packets in the order of their timestamps. All memory is taken when it is made.
///
/// The slot freed last is used next, so that a buffer that holds little touches little memory.
pub(super) struct Packets {
    order: Vec<Held>,
    free: Vec<usize>,
    bytes: Vec<u8>,
}

impl Packets {
    pub(super) fn new() -> Self {
        Self {
            order: Vec::with_capacity(MAX_PACKETS),
            free: (0..MAX_PACKETS).rev().collect(),
            bytes: vec![0; MAX_PACKETS * MAX_PAYLOAD],
        }
    }

    /// Takes a packet in. `payload` is at most [`MAX_PAYLOAD`] long.
    pub(super) fn insert(
        &mut self,
        (start, samples): (Samples, usize),
        sequence: i64,
        arrival: Samples,
        payload: &[u8],
    ) -> Stored {
        // Most packets come in order: look from the end.
        let place = self.order.iter().rposition(|held| held.start <= start).map_or(0, |before| before + 1);
        let twin = place.checked_sub(1).and_then(|before| self.order.get(before));
        if twin.is_some_and(|held| held.start == start) {
            return Stored::Duplicate;
        }
        let mut stored = Stored::Kept;
        let mut place = place;
        if self.free.is_empty() {
            self.pop();
            place = place.saturating_sub(1);
            stored = Stored::InPlaceOfTheOldest;
        }
        if let Some(slot) = self.free.pop() {
            let bytes = payload.len().min(MAX_PAYLOAD);
            self.bytes[slot * MAX_PAYLOAD..][..bytes].copy_from_slice(&payload[..bytes]);
            self.order.insert(place, Held { start, samples, sequence, arrival, slot, bytes });
        }
        stored
    }

    pub(super) fn first(&self) -> Option<Held> {
        self.order.first().copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Held> {
        self.order.iter()
    }

    pub(super) fn payload(&self, held: &Held) -> &[u8] {
        &self.bytes[held.slot * MAX_PAYLOAD..][..held.bytes]
    }

    /// Lets the first go. Its payload stays readable until the next insert.
    pub(super) fn pop(&mut self) -> Option<Held> {
        if self.order.is_empty() {
            return None;
        }
        let held = self.order.remove(0);
        self.free.push(held.slot);
        Some(held)
    }

    pub(super) fn clear(&mut self) {
        while let Some(held) = self.order.pop() {
            self.free.push(held.slot);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(packets: &mut Packets, start: Samples) -> Stored {
        packets.insert((start, 480), start / 480, start, &start.to_be_bytes())
    }

    #[test]
    fn packets_come_out_by_their_timestamps_whatever_order_they_came_in() {
        let mut packets = Packets::new();
        for start in [960, 0, 1_440, 480] {
            assert_eq!(insert(&mut packets, start), Stored::Kept);
        }
        assert_eq!(insert(&mut packets, 480), Stored::Duplicate);
        for start in [0i64, 480, 960, 1_440] {
            let held = packets.pop().unwrap();
            assert_eq!((held.start, packets.payload(&held)), (start, &start.to_be_bytes()[..]));
        }
        assert_eq!(packets.pop(), None);
    }

    #[test]
    fn when_there_is_no_room_the_oldest_goes() {
        let mut packets = Packets::new();
        for i in 0..MAX_PACKETS as i64 {
            assert_eq!(insert(&mut packets, i * 480), Stored::Kept);
        }
        for i in MAX_PACKETS as i64..10 * MAX_PACKETS as i64 {
            assert_eq!(insert(&mut packets, i * 480), Stored::InPlaceOfTheOldest);
        }
        assert_eq!(packets.len(), MAX_PACKETS);
        assert_eq!(packets.first().unwrap().start, 9 * MAX_PACKETS as i64 * 480);
        packets.clear();
        assert_eq!((packets.len(), packets.free.len()), (0, MAX_PACKETS));
    }
}
