//! For tests alone: the rules of the house as functions (who may use whom, what a pure crate does without, what every
//! package and every source file has), sound without hardware ([`pulse`]), cameras without hardware ([`fake_camera`]), networks without hardware ([`machines`]), a
//! relay ([`turn`]), the corpora of the fuzz targets ([`corpus`]), and processes for tests that need one of their own
//! ([`own_process`]).
//!
//! Each rule takes what it judges as an argument and gives back the problems, so that it can be shown a bad example;
//! `tests/house_rules.rs` shows it this repository.

#![forbid(unsafe_code)]

pub mod corpus;
pub mod dependencies;
pub mod fake_camera;
pub mod files;
pub mod machines;
pub mod manifests;
pub mod metadata;
pub mod own_process;
pub mod pulse;
pub mod purity;
pub mod turn;

/// What is wrong, as a sentence that says where and what to do.
pub type Problem = String;
