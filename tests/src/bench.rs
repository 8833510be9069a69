//! Rows of a benchmark, as a table for a person and as JSON for a machine.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

/// Which direction is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// A lower value.
    Lower,
    /// A higher value.
    Higher,
}

/// One measured value, or one that could not be.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// The value, not rounded; nothing if it was not measured.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: &'static str,
    /// Which direction is good.
    pub better: Better,
    /// The value to reach, if there is one.
    pub goal: Option<f64>,
    /// Whether it is reached; nothing where there is no goal or no value.
    pub met: Option<bool>,
    /// Why it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Row {
    /// A value that should be at most `goal`.
    pub fn lower(name: impl Into<String>, value: f64, unit: &'static str, goal: f64) -> Self {
        Self {
            name: name.into(),
            value: Some(value),
            unit,
            better: Better::Lower,
            goal: Some(goal),
            met: Some(value <= goal),
            reason: None,
        }
    }

    /// A value that should be at least `goal`.
    pub fn higher(name: impl Into<String>, value: f64, unit: &'static str, goal: f64) -> Self {
        Self {
            name: name.into(),
            value: Some(value),
            unit,
            better: Better::Higher,
            goal: Some(goal),
            met: Some(value >= goal),
            reason: None,
        }
    }

    /// A value for comparison, without a goal; lower is better.
    pub fn plain(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value: Some(value),
            unit,
            better: Better::Lower,
            goal: None,
            met: None,
            reason: None,
        }
    }

    /// The same row, where a higher value is better.
    #[must_use]
    pub fn is_better_higher(self) -> Self {
        Self { better: Better::Higher, ..self }
    }

    /// A value that should be at most `goal`, if it could have been measured.
    pub fn unmeasured(
        name: impl Into<String>,
        unit: &'static str,
        goal: f64,
        reason: impl Into<String>,
    ) -> Self {
        let (value, met, reason) = (None, None, Some(reason.into()));
        Self { name: name.into(), value, unit, better: Better::Lower, goal: Some(goal), met, reason }
    }
}

/// The `p`th percentile (0–100) by the nearest rank. Sorts the values; 0 for none.
pub fn percentile(values: &mut [f64], p: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (p / 100.0 * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Prints the table that a task of `cargo xtask` made, with the machine, and writes the rows as JSON where asked.
///
/// # Errors
/// When the file can't be written.
pub fn report(task: &str, rows: &[Row], json: Option<&Path>) -> Result<()> {
    println!("\ncargo xtask {task}, on {}\n", machine());
    println!("| | value | goal | |");
    println!("|---|---|---|---|");
    for row in rows {
        let goal = match (row.goal, row.better) {
            (None, _) => String::new(),
            (Some(goal), Better::Lower) => format!("≤ {goal} {}", row.unit),
            (Some(goal), Better::Higher) => format!("≥ {goal} {}", row.unit),
        };
        let met = match row.met {
            None => "",
            Some(true) => "met",
            Some(false) => "missed",
        };
        let value = match (row.value, &row.reason) {
            (Some(value), _) => format!("{value:.2} {}", row.unit),
            (None, reason) => format!("not measured: {}", reason.as_deref().unwrap_or("no reason given")),
        };
        println!("| {} | {value} | {goal} | {met} |", row.name);
    }
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(rows)?)?;
    }
    Ok(())
}

/// The processor's name and number of cores, and the system, where they can be read.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        text.lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned())
    });
    format!(
        "{} cores of {}, {}",
        cores,
        model.as_deref().unwrap_or("an unnamed processor"),
        std::env::consts::OS
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_is_the_nearest_rank() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut values, 99.0), 99.0);
        assert_eq!(percentile(&mut values, 50.0), 50.0);
        assert_eq!(percentile(&mut [7.0], 99.0), 7.0);
        assert_eq!(percentile(&mut [], 99.0), 0.0);
    }

    #[test]
    fn a_goal_is_met_at_its_value_and_missed_beyond() {
        assert_eq!(Row::lower("x", 40.0, "KB", 40.0).met, Some(true));
        assert_eq!(Row::lower("x", 40.001, "KB", 40.0).met, Some(false));
        assert_eq!(Row::unmeasured("x", "KB", 40.0, "no scales").met, None);
        assert_eq!(Row::higher("x", 198.0, "calls/s", 198.0).met, Some(true));
    }
}
