//! Which packets are lost.

use crate::chance::Chance;
use crate::settings::Settings;

/// Gilbert's chain (E. N. Gilbert, "Capacity of a burst-noise channel", 1960; Elliott, 1963), in the simple form: all
/// is lost while it is bad, nothing while it is good. One step a packet.
///
/// With loss `p` and mean burst `b`: bad → good with chance `1/b`, good → bad with chance `p / (b (1 − p))`.
#[derive(Debug, Clone)]
pub(crate) struct Losses {
    chance: Chance,
    bad: bool,
}

impl Losses {
    pub(crate) fn new(chance: Chance) -> Self {
        Self { chance, bad: false }
    }

    /// Whether the next packet is lost. One draw, whatever the settings are: what is lost later does not depend on
    /// what was asked before.
    pub(crate) fn next(&mut self, settings: &Settings) -> bool {
        let drawn = self.chance.share();
        let loss = settings.loss.share();
        let turns_bad = match settings.burst {
            None => loss,
            Some(_) if loss >= 1.0 => 1.0,
            Some(burst) if self.bad => 1.0 - 1.0 / burst,
            Some(burst) => loss / (burst * (1.0 - loss)),
        };
        self.bad = drawn < turns_bad && loss > 0.0;
        self.bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Percent;

    /// The share lost, and the mean number lost in a row.
    fn run(loss: f64, burst: Option<f64>) -> (f64, f64) {
        let settings = Settings { loss: Percent::new(loss).unwrap(), burst, ..Settings::default() };
        let mut losses = Losses::new(Chance::new(3, 1));
        let lost: Vec<bool> = (0..400_000).map(|_| losses.next(&settings)).collect();
        let count = lost.iter().filter(|lost| **lost).count() as f64;
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        (count / lost.len() as f64, count / bursts.max(1.0))
    }

    #[test]
    fn random_loss_has_the_share_asked_for_and_the_bursts_of_chance() {
        for percent in [1.0, 10.0, 30.0] {
            let (share, burst) = run(percent, None);
            assert!((share * 100.0 - percent).abs() < 0.3, "{percent}: {share}");
            let by_chance = 1.0 / (1.0 - percent / 100.0);
            assert!((burst - by_chance).abs() < 0.02, "{percent}: {burst}");
        }
    }

    #[test]
    fn bursts_have_the_share_and_the_mean_length_asked_for() {
        for (percent, burst) in [(10.0, 4.0), (20.0, 4.0), (5.0, 10.0), (50.0, 1.0)] {
            let (share, found) = run(percent, Some(burst));
            assert!((share * 100.0 - percent).abs() < 0.6, "{percent}: {share}");
            assert!((found / burst - 1.0).abs() < 0.03, "{burst}: {found}");
        }
    }

    #[test]
    fn all_or_nothing() {
        assert_eq!(run(0.0, None).0, 0.0);
        assert_eq!(run(0.0, Some(4.0)).0, 0.0);
        assert_eq!(run(100.0, None).0, 1.0);
        assert_eq!(run(100.0, Some(4.0)).0, 1.0);
    }
}
