//! How good a call is, in figures and in one word.
//!
//! The word comes from the transmission rating R of the E-model (ITU-T G.107), with the parts that a call over a network
//! has: R = 93.2 − Id − Ie,eff. What is lost counts as it is *heard*: what redundancy restored is no loss.

use carillon_wire::CallId;
use serde::Serialize;

/// R without any impairment (G.107, section 7.7, all parameters at their defaults).
const R_BEST: f64 = 93.2;
/// R from which almost everybody is content (G.107, annex B: "satisfied").
const GOOD: f64 = 80.0;
/// R under which nearly all are not (G.107, annex B: "nearly all users dissatisfied").
const FAIR: f64 = 60.0;
/// Delay beside the network's and the jitter buffer's: devices, frames, processing; in milliseconds, both ends.
const DEVICES_MS: f64 = 40.0;
/// Equipment impairment of Opus at the rates used here: none against G.711.
const IE: f64 = 0.0;
/// Packet-loss robustness, in per cent of concealed sound: G.113 appendix I gives 25.1 for G.711 with concealment.
const BPL: f64 = 25.1;
/// Concealed in one second, in per cent, from which the line is worth naming as the reason.
const LOSS_HEARD: f64 = 1.0;

/// A second of a call, as this end has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Quality {
    /// Which call.
    pub call: CallId,
    /// To the other end and back, in milliseconds; nothing until a report has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// Packets that did not come in this second, in per cent.
    pub loss_percent: f64,
    /// Packets that did not come at the other end, as it reports, in per cent.
    pub loss_there_percent: f64,
    /// Variation of the packets' delay (RFC 3550, section 6.4.1), in milliseconds.
    pub jitter_ms: f64,
    /// How long a packet waits here until it is heard, in milliseconds.
    pub playout_delay_ms: f64,
    /// Speech of this second that had to be made up, in per cent.
    pub concealed_percent: f64,
    /// How long that was, in milliseconds.
    pub concealed_ms: f64,
    /// Loudness of the other side, in dB below full scale.
    pub level_dbfs: f64,
    /// Loudness of the own microphone, in dB below full scale.
    pub microphone_dbfs: f64,
    /// In one word.
    pub word: Word,
    /// What is wrong, unless it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// Quality in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Hard to talk.
    Poor,
    /// Faults are heard.
    Fair,
    /// Like sitting together.
    Good,
}

/// What makes a call less than good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing arrives.
    Silence,
    /// Too much is lost on the way.
    Loss,
    /// It arrives unevenly.
    Jitter,
    /// It takes long to arrive.
    Delay,
}

/// What the verdict is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    pub(crate) round_trip_ms: Option<f64>,
    pub(crate) jitter_ms: f64,
    pub(crate) playout_delay_ms: f64,
    pub(crate) concealed_percent: f64,
    /// Packets came in this second, or none were due: the other side is muted or silent.
    pub(crate) arriving: bool,
}

/// The verdict on a second.
pub(crate) fn verdict(figures: &Figures) -> (Word, Option<Reason>) {
    if !figures.arriving {
        return (Word::Poor, Some(Reason::Silence));
    }
    let delay = delay_impairment(figures);
    let loss = loss_impairment(figures.concealed_percent);
    let rating = R_BEST - delay - loss;
    let word = if rating >= GOOD {
        return (Word::Good, None);
    } else if rating >= FAIR {
        Word::Fair
    } else {
        Word::Poor
    };
    let reason = if loss >= delay || figures.concealed_percent > LOSS_HEARD {
        Reason::Loss
    } else if figures.playout_delay_ms > figures.round_trip_ms.unwrap_or(0.0) / 2.0
        && figures.jitter_ms > 10.0
    {
        Reason::Jitter
    } else {
        Reason::Delay
    };
    (word, Some(reason))
}

/// Id, the impairment by one-way delay: 0.024·d + 0.11·(d − 177.3) beyond 177.3 ms (Cole and Rosenbluth, "Voice over IP
/// performance monitoring", 2001: a fit to G.107).
fn delay_impairment(figures: &Figures) -> f64 {
    let delay = figures.round_trip_ms.unwrap_or(0.0) / 2.0 + figures.playout_delay_ms + DEVICES_MS;
    0.024f64.mul_add(delay, 0.11 * (delay - 177.3).max(0.0))
}

/// Ie,eff = Ie + (95 − Ie)·Ppl / (Ppl + Bpl) (G.107, section 7.5, with a burst ratio of 1: redundancy has broken the
/// bursts before they are counted here).
fn loss_impairment(concealed_percent: f64) -> f64 {
    let lost = concealed_percent.clamp(0.0, 100.0);
    IE + (95.0 - IE) * lost / (lost + BPL)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Figures = Figures {
        round_trip_ms: Some(30.0),
        jitter_ms: 2.0,
        playout_delay_ms: 30.0,
        concealed_percent: 0.0,
        arriving: true,
    };

    #[test]
    fn a_calm_line_is_good_and_needs_no_reason() {
        assert_eq!(verdict(&CALM), (Word::Good, None));
        assert_eq!(verdict(&Figures { round_trip_ms: None, ..CALM }), (Word::Good, None));
    }

    #[test]
    fn what_is_heard_as_lost_makes_it_fair_then_poor() {
        let with = |concealed_percent| verdict(&Figures { concealed_percent, ..CALM });
        assert_eq!(with(1.0), (Word::Good, None));
        assert_eq!(with(5.0), (Word::Fair, Some(Reason::Loss)));
        assert_eq!(with(20.0), (Word::Poor, Some(Reason::Loss)));
    }

    #[test]
    fn a_long_way_is_named_as_delay_and_an_uneven_one_as_jitter() {
        let far = Figures { round_trip_ms: Some(600.0), ..CALM };
        assert_eq!(verdict(&far), (Word::Fair, Some(Reason::Delay)));
        let uneven = Figures { playout_delay_ms: 300.0, jitter_ms: 60.0, ..CALM };
        assert_eq!(verdict(&uneven), (Word::Fair, Some(Reason::Jitter)));
        assert_eq!(verdict(&Figures { round_trip_ms: Some(1200.0), ..CALM }).0, Word::Poor);
    }

    #[test]
    fn nothing_arriving_is_poor_whatever_the_rest_says() {
        assert_eq!(verdict(&Figures { arriving: false, ..CALM }), (Word::Poor, Some(Reason::Silence)));
    }

    #[test]
    fn more_loss_or_delay_never_makes_it_better() {
        let rating = |concealed, round_trip| {
            let figures = Figures { concealed_percent: concealed, round_trip_ms: Some(round_trip), ..CALM };
            verdict(&figures).0
        };
        for step in 0..100 {
            let (low, high) = (f64::from(step), f64::from(step + 1));
            assert!(rating(high, 0.0) <= rating(low, 0.0));
            assert!(rating(0.0, high * 20.0) <= rating(0.0, low * 20.0));
        }
    }
}
