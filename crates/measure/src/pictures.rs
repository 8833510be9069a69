//! How well pictures arrive: how old, how many, how like what was taken.

use carillon_media::picture::Picture;

/// A picture that was shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sight {
    /// Since the start of what is looked at, in seconds.
    pub at: f64,
    /// How long after it was taken, in milliseconds: glass to glass.
    pub age_ms: f64,
    /// Of the camera's pictures, in order.
    pub number: u32,
    /// Lines that it has.
    pub height: u32,
    /// Bytes that it came in, without headers of packets.
    pub bytes: usize,
}

/// A pause from here on is a freeze, in milliseconds.
pub const FREEZE_MS: f64 = 200.0;

/// What there is to say of the pictures of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PictureSummary {
    /// Glass to glass, in milliseconds.
    pub median_ms: f64,
    /// See above.
    pub p95_ms: f64,
    /// See above.
    pub worst_ms: f64,
    /// Share of the camera's pictures that were shown, 0 to 1, from the first shown to the last.
    pub shown: f64,
    /// Pauses of [`FREEZE_MS`] and more.
    pub freezes: usize,
    /// The longest time between two pictures, in milliseconds.
    pub longest_pause_ms: f64,
    /// What the pictures took, in kbit/s.
    pub kilobits: f64,
    /// Lines of the pictures, on average.
    pub height: f64,
}

/// Sums pictures up; `until`: when the camera stopped, in seconds. `None`: there are fewer than two.
pub fn summary(sights: &[Sight], until: f64) -> Option<PictureSummary> {
    let (first, last) = (sights.first()?, sights.last()?);
    if sights.len() < 2 {
        return None;
    }
    let ages = || sights.iter().map(|sight| sight.age_ms);
    let pauses = || {
        let ends = sights.iter().skip(1).map(|sight| sight.at).chain([until.max(last.at)]);
        sights.iter().zip(ends).map(|(sight, end)| (end - sight.at) * 1e3)
    };
    let span = last.at - first.at;
    let bytes: usize = sights.iter().skip(1).map(|sight| sight.bytes).sum();
    let count = sights.len() as f64;
    Some(PictureSummary {
        median_ms: crate::percentile(ages(), 50.0)?,
        p95_ms: crate::percentile(ages(), 95.0)?,
        worst_ms: ages().fold(0.0, f64::max),
        shown: count / (f64::from(last.number.wrapping_sub(first.number)) + 1.0),
        freezes: pauses().filter(|pause| *pause >= FREEZE_MS).count(),
        longest_pause_ms: pauses().fold(0.0, f64::max),
        kilobits: if span > 0.0 { bytes as f64 * 8.0 / span / 1e3 } else { 0.0 },
        height: sights.iter().map(|sight| f64::from(sight.height)).sum::<f64>() / count,
    })
}

/// Side of the windows that are compared.
const WINDOW: usize = 8;
/// Steps from one to the next.
const STRIDE: usize = 4;
/// Keep what is flat from being divided by nothing: (0.01 · 255)² and (0.03 · 255)².
const C1: f64 = 6.5025;
const C2: f64 = 58.5225;

/// How like two pictures of one size are, 0 to 1, by their luma: mean SSIM over windows of 8 × 8 (Z. Wang, A. Bovik, H. Sheikh
/// and E. Simoncelli, "Image quality assessment: from error visibility to structural similarity", 2004). `None`: the sizes
/// differ, or are smaller than a window.
pub fn ssim(one: &Picture, other: &Picture) -> Option<f64> {
    let (width, height) = (one.width() as usize, one.height() as usize);
    if (one.width(), one.height()) != (other.width(), other.height()) || width < WINDOW || height < WINDOW {
        return None;
    }
    let ([one, ..], [other, ..]) = (one.planes(), other.planes());
    let (mut sum, mut windows) = (0.0, 0u32);
    for top in (0..=height - WINDOW).step_by(STRIDE) {
        for left in (0..=width - WINDOW).step_by(STRIDE) {
            let (mut a, mut b, mut aa, mut bb, mut ab) = (0u32, 0u32, 0u32, 0u32, 0u32);
            for row in top..top + WINDOW {
                let at = row * width + left;
                for (x, y) in one[at..at + WINDOW].iter().zip(&other[at..at + WINDOW]) {
                    let (x, y) = (u32::from(*x), u32::from(*y));
                    a += x;
                    b += y;
                    aa += x * x;
                    bb += y * y;
                    ab += x * y;
                }
            }
            let n = (WINDOW * WINDOW) as f64;
            let (mean_a, mean_b) = (f64::from(a) / n, f64::from(b) / n);
            let variance = |squares: u32, mean: f64| (f64::from(squares) / n - mean * mean).max(0.0);
            let together = f64::from(ab) / n - mean_a * mean_b;
            sum += (2.0 * mean_a * mean_b + C1) * (2.0 * together + C2)
                / ((mean_a * mean_a + mean_b * mean_b + C1)
                    * (variance(aa, mean_a) + variance(bb, mean_b) + C2));
            windows += 1;
        }
    }
    Some(sum / f64::from(windows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(at: f64, number: u32) -> Sight {
        Sight { at, age_ms: 40.0 + f64::from(number % 3), number, height: 720, bytes: 10_000 }
    }

    #[test]
    fn what_was_left_out_and_what_stood_still_is_counted() {
        let mut sights: Vec<_> = (0..60).map(|n| sight(f64::from(n) / 30.0, n)).collect();
        sights.retain(|sight| !(20..30).contains(&sight.number) && sight.number != 40);
        let summary = summary(&sights, 2.0).unwrap();
        assert!((summary.shown - 49.0 / 60.0).abs() < 1e-9);
        assert_eq!(summary.freezes, 1);
        assert!((summary.longest_pause_ms - 366.7).abs() < 0.1);
        assert!((40.0..=42.0).contains(&summary.median_ms) && summary.worst_ms == 42.0);
        assert!((summary.kilobits - 48.0 * 80.0 / (59.0 / 30.0)).abs() < 1.0, "{summary:?}");
    }

    #[test]
    fn pictures_that_stop_coming_are_a_freeze() {
        let sights: Vec<_> = (0..30).map(|n| sight(f64::from(n) / 30.0, n)).collect();
        assert_eq!(summary(&sights, 1.0).unwrap().freezes, 0);
        assert_eq!(summary(&sights, 2.0).unwrap().freezes, 1);
        assert_eq!(summary(&sights[..1], 1.0), None);
    }

    #[test]
    fn a_picture_is_like_itself_and_less_like_a_blurred_one() {
        let mut sharp = Picture::black(64, 64).unwrap();
        for (at, luma) in sharp.planes_mut()[0].iter_mut().enumerate() {
            *luma = (at * 37 % 200) as u8 + 20;
        }
        let mut blurred = sharp.clone();
        let luma = sharp.planes()[0].to_vec();
        for (at, sample) in blurred.planes_mut()[0].iter_mut().enumerate().skip(1) {
            *sample = luma[at - 1].midpoint(luma[at]);
        }
        assert!((ssim(&sharp, &sharp).unwrap() - 1.0).abs() < 1e-9);
        let less = ssim(&sharp, &blurred).unwrap();
        assert!(less < 0.9, "{less}");
        assert_eq!(ssim(&sharp, &Picture::black(32, 64).unwrap()), None);
    }
}
