//! Pictures whose memory is used again.

use std::sync::Arc;

use super::Picture;

/// More are not kept: whoever holds more is behind.
const POOLED: usize = 6;

/// Gives out pictures, and takes their memory again once nobody looks at them.
#[derive(Debug, Default)]
pub struct PicturePool(Vec<Arc<Picture>>);

impl PicturePool {
    /// An empty one.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// A picture that `paint` has painted. What is on it before, and its size, are those of another.
    pub fn fill(&mut self, paint: impl FnOnce(&mut Picture)) -> Arc<Picture> {
        let free = self.0.iter().position(|picture| Arc::strong_count(picture) == 1);
        let mut picture = free.map_or_else(|| Arc::new(Picture::least()), |at| self.0.swap_remove(at));
        paint(Arc::make_mut(&mut picture));
        if self.0.len() < POOLED {
            self.0.push(Arc::clone(&picture));
        }
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_once_nobody_looks_at_a_picture() {
        let mut pool = PicturePool::new();
        let first = pool.fill(|_| {});
        let address = Arc::as_ptr(&first);
        let second = pool.fill(|picture| picture.planes_mut()[0].fill(9));
        assert_eq!(first.planes()[0], [16; 4], "one that is looked at stays as it is");
        drop(first);
        assert_eq!(Arc::as_ptr(&pool.fill(|_| {})), address);
        drop(second);
    }
}
