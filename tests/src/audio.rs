//! How good sound is: what `bench audio` measures, part by part.
//!
//! [`quality`], [`echo`] and [`drift`] run on a virtual clock: the same numbers on every machine. [`connect`] and
//! [`desk`] are real time, over loopback sockets.

pub mod connect;
pub mod desk;
pub mod drift;
pub mod echo;
pub mod line;
pub mod quality;
pub mod speech;

/// The median; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    carillon_measure::percentile(values.iter().copied(), 50.0)
}
