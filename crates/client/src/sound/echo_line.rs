//! The test number: what the other end said comes back to it, later.

use std::collections::VecDeque;
use std::time::Duration;

use carillon_media::Frame;

use super::SoundSource;

/// The longest that is kept.
const LONGEST: Duration = Duration::from_secs(10);

/// Sound on its way back. Empty for who has a microphone.
#[derive(Debug)]
pub(super) struct EchoLine {
    /// In frames; none for who has a microphone.
    delay: Option<usize>,
    frames: VecDeque<Frame>,
}

impl EchoLine {
    pub(super) fn new(source: SoundSource) -> Self {
        let delay = match source {
            SoundSource::Microphone => None,
            SoundSource::Echo(delay) => usize::try_from(delay.min(LONGEST).as_millis() / 10).ok(),
        };
        Self { delay, frames: VecDeque::with_capacity(delay.map_or(0, |delay| delay + 1)) }
    }

    pub(super) fn put(&mut self, frame: &Frame) {
        if self.delay.is_some() {
            self.frames.push_back(*frame);
        }
    }

    /// What was said the delay ago.
    pub(super) fn take(&mut self) -> Option<Frame> {
        if self.frames.len() > self.delay? { self.frames.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_comes_back_after_the_delay() {
        let mut line = EchoLine::new(SoundSource::Echo(Duration::from_millis(30)));
        let back: Vec<_> = (0..6u8)
            .map(|n| {
                line.put(&[f32::from(n); 480]);
                line.take().map(|frame| frame[0])
            })
            .collect();
        assert_eq!(back, [None, None, None, Some(0.0), Some(1.0), Some(2.0)]);
        let mut none = EchoLine::new(SoundSource::Microphone);
        none.put(&[1.0; 480]);
        assert_eq!(none.take(), None);
    }
}
