//! For tests alone: the rules of the house as functions (who may use whom, what a pure crate does without, what every
//! package and every source file has), and sound without hardware ([`pulse`]), a relay ([`turn`]),
//! the corpora of the fuzz targets ([`corpus`]).
//!
//! Each rule takes what it judges as an argument and gives back the problems, so that it can be shown a bad example;
//! `tests/house_rules.rs` shows it this repository.

#![forbid(unsafe_code)]

pub mod corpus;
pub mod dependencies;
pub mod files;
pub mod manifests;
pub mod metadata;
pub mod pulse;
pub mod purity;
pub mod turn;

/// What is wrong, as a sentence that says where and what to do.
pub type Problem = String;
