//! What a run was like, for people ([`html()`]) and for machines (serde).
//!
//! Names and remarks are written by whoever fills the report, in [`Report::lang`]; the page's own words are here in
//! both languages.

mod html;
mod page;
mod plot;
mod scale;
mod texts;

use serde::Serialize;

use crate::Series;

pub use page::html;
pub use texts::Lang;

/// A whole run.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Report {
    /// The language its words are in.
    pub lang: Lang,
    /// What was run.
    pub title: String,
    /// In a sentence: how, when.
    pub subtitle: String,
    /// Where: processor, system, versions.
    pub machine: Vec<Fact>,
    /// With which settings.
    pub settings: Vec<Fact>,
    /// How good it was.
    pub verdicts: Vec<Verdict>,
    /// From dialling to talking, one after the other.
    pub steps: Vec<Step>,
    /// In time.
    pub plots: Vec<Plot>,
    /// What a reader must know to judge the numbers.
    pub remarks: Vec<String>,
}

/// A name and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What.
    pub name: String,
    /// How it is.
    pub value: String,
}

impl Fact {
    /// Puts both together.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// What a value should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Not more.
    AtMost(f64),
    /// Not less.
    AtLeast(f64),
}

/// One number that says how good it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// What was measured.
    pub name: String,
    /// `None`: it could not be measured.
    pub value: Option<f64>,
    /// Of the value and the goal; may be empty.
    pub unit: String,
    /// What it should be, if there is a goal.
    pub goal: Option<Goal>,
    /// Whether it is; `None` without a goal. What could not be measured is not met.
    pub met: Option<bool>,
}

impl Verdict {
    /// A number without a goal.
    pub fn new(name: impl Into<String>, value: Option<f64>, unit: impl Into<String>) -> Self {
        let value = value.filter(|value| value.is_finite());
        Self { name: name.into(), value, unit: unit.into(), goal: None, met: None }
    }

    /// The same with a goal.
    #[must_use]
    pub fn with_goal(self, goal: Goal) -> Self {
        let met = self.value.is_some_and(|value| match goal {
            Goal::AtMost(most) => value <= most,
            Goal::AtLeast(least) => value >= least,
        });
        Self { goal: Some(goal), met: Some(met), ..self }
    }
}

/// One step on the way to a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// What was waited for.
    pub name: String,
    /// How long it took after the step before.
    pub millis: f64,
}

/// Values in time, on one scale.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plot {
    /// What they are.
    pub name: String,
    /// Of all of them.
    pub unit: String,
    /// Up to five are told apart well.
    pub series: Vec<Series>,
    /// A line to stay under, or above.
    pub goal: Option<Goal>,
    /// Moments worth marking: seconds and a word.
    pub marks: Vec<(f64, String)>,
}

impl Plot {
    /// Without goal and marks.
    pub fn new(name: impl Into<String>, unit: impl Into<String>, series: Vec<Series>) -> Self {
        Self { name: name.into(), unit: unit.into(), series, goal: None, marks: Vec::new() }
    }
}
