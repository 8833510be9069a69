//! Which numbers have been received: a sliding window, as in RFC 4303, section 3.4.3, kept in the ring of blocks of
//! RFC 6479, so that moving it shifts nothing.

/// Bits of a block.
const BITS: u64 = 64;
/// Blocks of the ring: one more than the window needs, so that a new block can be cleared while the others count.
const BLOCKS: u64 = Window::SIZE / BITS + 1;

/// Numbers received so far. Each counts once; one that lies [`SIZE`](Self::SIZE) or more behind the highest does not
/// count any more.
#[derive(Debug, Clone)]
pub struct Window {
    blocks: [u64; BLOCKS as usize],
    /// One more than the highest number marked; 0 before the first.
    end: u64,
}

impl Window {
    /// How far behind the highest number others are still told apart.
    pub const SIZE: u64 = 1024;

    /// Nothing received yet.
    pub const fn new() -> Self {
        Self { blocks: [0; BLOCKS as usize], end: 0 }
    }

    /// Whether the number was not marked before and is not too old to tell. The highest of all, 2⁶⁴ − 1, is never
    /// new: Noise keeps it for itself.
    pub fn is_new(&self, number: u64) -> bool {
        if number == u64::MAX {
            return false;
        }
        if number >= self.end {
            return true;
        }
        self.end - number <= Self::SIZE && self.block(number) & bit(number) == 0
    }

    /// Marks a number as received, if it [is new](Self::is_new).
    pub fn mark(&mut self, number: u64) {
        if !self.is_new(number) {
            return;
        }
        if number >= self.end {
            self.move_to(number);
        }
        if let Some(block) = self.blocks.get_mut(index(number)) {
            *block |= bit(number);
        }
    }

    /// Clears the blocks between the highest number so far and this one.
    fn move_to(&mut self, number: u64) {
        let last = self.end.checked_sub(1).map(|last| last / BITS);
        let passed = match last {
            Some(last) => number / BITS - last,
            None => BLOCKS,
        };
        for step in 0..passed.min(BLOCKS) {
            if let Some(block) = self.blocks.get_mut(index(number - number.min(step * BITS))) {
                *block = 0;
            }
        }
        self.end = number + 1;
    }

    fn block(&self, number: u64) -> u64 {
        self.blocks.get(index(number)).copied().unwrap_or_default()
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

const fn index(number: u64) -> usize {
    (number / BITS % BLOCKS) as usize
}

const fn bit(number: u64) -> u64 {
    1 << (number % BITS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_counts_once_and_only_within_the_window() {
        let mut window = Window::new();
        window.mark(5000);
        assert!(!window.is_new(5000));
        assert!(window.is_new(5000 - 1023));
        assert!(!window.is_new(5000 - 1024));
        window.mark(5000 - 1023);
        assert!(!window.is_new(5000 - 1023));
    }

    #[test]
    fn the_reserved_number_is_never_new() {
        let mut window = Window::new();
        window.mark(u64::MAX);
        assert!(!window.is_new(u64::MAX));
        assert!(window.is_new(0));
        window.mark(u64::MAX - 1);
        assert!(!window.is_new(u64::MAX - 1));
        assert!(window.is_new(u64::MAX - 2));
    }

    proptest! {
        /// Against a set of all numbers, with steps that stay in, leave and jump over the window.
        #[test]
        fn it_agrees_with_remembering_everything(
            steps in prop::collection::vec((prop_oneof![0..8_u64, 0..1200_u64, 0..5000_u64], any::<bool>()), 1..400)
        ) {
            let (mut window, mut all, mut highest) = (Window::new(), BTreeSet::new(), 0_u64);
            for (step, back) in steps {
                let number = if back { highest.saturating_sub(step) } else { highest + step };
                let new = !all.contains(&number) && (all.is_empty() || number + Window::SIZE > highest);
                prop_assert_eq!(window.is_new(number), new, "{} after {}", number, highest);
                if new {
                    window.mark(number);
                    all.insert(number);
                    highest = highest.max(number);
                }
            }
        }
    }
}
