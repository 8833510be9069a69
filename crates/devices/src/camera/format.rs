//! Which of a camera's formats to take. Pure.

use std::cmp::Reverse;
use std::fmt;

use super::Wanted;

/// How a camera writes its pictures down, as far as we can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// 4:2:2, packed: luma, blue, luma, red.
    Yuyv,
    /// 4:2:0, the colours interleaved behind luma.
    Nv12,
    /// A JPEG for each picture.
    Mjpeg,
}

impl fmt::Display for Coding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Yuyv => "YUYV",
            Self::Nv12 => "NV12",
            Self::Mjpeg => "MJPEG",
        })
    }
}

/// What a camera can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format {
    /// How it is written down.
    pub coding: Coding,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Pictures a second.
    pub frame_rate: u32,
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} × {}, {}/s, {}", self.width, self.height, self.frame_rate, self.coding)
    }
}

/// The most pictures a second that count as better: beyond, a camera only makes work.
const ENOUGH: u32 = 60;

/// The format that serves best, or `None` where there is none that we can read.
///
/// In this order: a size that is not smaller than wanted, and then as near as can be; at least the wanted rate; what
/// needs no decoding. A camera that gives big pictures slowly and the same coded ones fast, as most do by USB 2, is
/// so asked for coded ones.
pub(super) fn choose(formats: &[Format], wanted: Wanted) -> Option<Format> {
    let area = |width: u32, height: u32| u64::from(width) * u64::from(height);
    let rank = |format: &Format| {
        let covers = format.width >= wanted.width && format.height >= wanted.height;
        let off = area(format.width, format.height).abs_diff(area(wanted.width, wanted.height));
        let lacks = wanted.frame_rate.saturating_sub(format.frame_rate);
        // A size of another shape would be cut or have bars.
        let skew = (u64::from(format.width) * u64::from(wanted.height))
            .abs_diff(u64::from(format.height) * u64::from(wanted.width));
        let coding = match format.coding {
            Coding::Nv12 => 0,
            Coding::Yuyv => 1,
            Coding::Mjpeg => 2,
        };
        // Half the rate is worse than half the size.
        let crawls = format.frame_rate * 2 <= wanted.frame_rate;
        (Reverse(!crawls), Reverse(covers), off, skew, lacks, coding, format.frame_rate)
    };
    let usable = |format: &&Format| {
        let is_side =
            |side: u32| (2..=carillon_media::picture::MAX_SIDE).contains(&side) && side.is_multiple_of(2);
        is_side(format.width) && is_side(format.height) && (1..=2 * ENOUGH).contains(&format.frame_rate)
    };
    formats.iter().filter(usable).min_by_key(|format| rank(format)).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WANTED: Wanted = Wanted { width: 1280, height: 720, frame_rate: 30 };

    fn format(coding: Coding, width: u32, height: u32, frame_rate: u32) -> Format {
        Format { coding, width, height, frame_rate }
    }

    #[test]
    fn plain_pictures_are_taken_where_they_come_fast_enough() {
        let (plain, coded) = (format(Coding::Yuyv, 1280, 720, 30), format(Coding::Mjpeg, 1280, 720, 30));
        assert_eq!(choose(&[coded, plain], WANTED), Some(plain));
    }

    #[test]
    fn coded_pictures_are_taken_where_plain_ones_come_slowly() {
        let (slow, coded) = (format(Coding::Yuyv, 1280, 720, 10), format(Coding::Mjpeg, 1280, 720, 30));
        assert_eq!(choose(&[slow, coded], WANTED), Some(coded));
    }

    #[test]
    fn the_nearest_size_that_covers_what_is_wanted_wins() {
        let sizes = [(640, 480), (1920, 1080), (1280, 720), (1280, 960)];
        let formats = sizes.map(|(width, height)| format(Coding::Mjpeg, width, height, 30));
        assert_eq!(choose(&formats, WANTED), Some(formats[2]));
        assert_eq!(choose(&formats[..2], WANTED), Some(formats[1]));
        assert_eq!(choose(&formats[..1], WANTED), Some(formats[0]));
    }

    #[test]
    fn a_smaller_picture_is_better_than_one_that_crawls() {
        let (crawls, small) = (format(Coding::Yuyv, 1280, 720, 10), format(Coding::Yuyv, 640, 480, 30));
        assert_eq!(choose(&[crawls, small], WANTED), Some(small));
    }

    #[test]
    fn a_higher_rate_than_wanted_is_avoided() {
        let (fast, right) = (format(Coding::Nv12, 1280, 720, 60), format(Coding::Nv12, 1280, 720, 30));
        assert_eq!(choose(&[fast, right], WANTED), Some(right));
        assert_eq!(choose(&[fast], WANTED), Some(fast));
    }

    #[test]
    fn nothing_is_made_of_odd_or_giant_sizes() {
        let formats = [(1281, 720, 30), (0, 0, 30), (1280, 720, 0), (20_000, 20_000, 30), (640, 480, 5_000)];
        let formats = formats.map(|(width, height, rate)| format(Coding::Yuyv, width, height, rate));
        assert_eq!(choose(&formats, WANTED), None);
        assert_eq!(choose(&[], WANTED), None);
    }

    proptest! {
        #[test]
        fn the_choice_does_not_hang_on_the_order(
            given in proptest::collection::vec((0..3u8, 0..5_000u32, 0..5_000u32, any::<u32>()), 0..12),
            width in any::<u32>(), height in any::<u32>(), frame_rate in any::<u32>(),
        ) {
            let coding = |which| [Coding::Yuyv, Coding::Nv12, Coding::Mjpeg][usize::from(which)];
            let mut formats: Vec<_> =
                given.into_iter().map(|(which, w, h, rate)| format(coding(which), w, h, rate)).collect();
            let wanted = Wanted { width, height, frame_rate };
            let one = choose(&formats, wanted);
            formats.reverse();
            // Two sizes may be as good as each other.
            prop_assert_eq!(one.map(|f| f.coding), choose(&formats, wanted).map(|f| f.coding));
        }
    }
}
