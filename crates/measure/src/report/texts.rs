//! The page's own words.

use serde::Serialize;

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

/// The same in English and French.
pub(super) struct Words {
    pub(super) tag: &'static str,
    pub(super) verdict: &'static str,
    pub(super) measured: &'static str,
    pub(super) goal: &'static str,
    pub(super) met: &'static str,
    pub(super) missed: &'static str,
    pub(super) no_goal: &'static str,
    pub(super) not_measured: &'static str,
    pub(super) what: &'static str,
    pub(super) steps: &'static str,
    pub(super) step: &'static str,
    pub(super) took: &'static str,
    pub(super) total: &'static str,
    pub(super) in_time: &'static str,
    pub(super) as_table: &'static str,
    pub(super) seconds: &'static str,
    pub(super) mean_of: &'static str,
    pub(super) settings: &'static str,
    pub(super) machine: &'static str,
    pub(super) remarks: &'static str,
    pub(super) nothing: &'static str,
    pub(super) at_most: &'static str,
    pub(super) at_least: &'static str,
    pub(super) least: &'static str,
    pub(super) median: &'static str,
    pub(super) p95: &'static str,
    pub(super) greatest: &'static str,
}

const EN: Words = Words {
    tag: "en",
    verdict: "Results",
    measured: "Measured",
    goal: "Goal",
    met: "met",
    missed: "missed",
    no_goal: "no goal",
    not_measured: "not measured",
    what: "What",
    steps: "Setting up the call",
    step: "Step",
    took: "Took",
    total: "All together",
    in_time: "Over time",
    as_table: "The same as a table",
    seconds: "Time (s)",
    mean_of: "Each row is the mean up to the next.",
    settings: "Settings",
    machine: "Machine",
    remarks: "Remarks",
    nothing: "Nothing was measured.",
    at_most: "at most",
    at_least: "at least",
    least: "lowest",
    median: "median",
    p95: "95 %",
    greatest: "highest",
};

const FR: Words = Words {
    tag: "fr",
    verdict: "Résultats",
    measured: "Mesuré",
    goal: "Objectif",
    met: "atteint",
    missed: "manqué",
    no_goal: "sans objectif",
    not_measured: "non mesuré",
    what: "Quoi",
    steps: "Établissement de l’appel",
    step: "Étape",
    took: "Durée",
    total: "En tout",
    in_time: "Au fil du temps",
    as_table: "Les mêmes valeurs en tableau",
    seconds: "Temps (s)",
    mean_of: "Chaque ligne est la moyenne jusqu’à la suivante.",
    settings: "Réglages",
    machine: "Machine",
    remarks: "Remarques",
    nothing: "Rien n’a été mesuré.",
    at_most: "au plus",
    at_least: "au moins",
    least: "minimum",
    median: "médiane",
    p95: "95 %",
    greatest: "maximum",
};

impl Lang {
    pub(super) fn words(self) -> &'static Words {
        match self {
            Self::En => &EN,
            Self::Fr => &FR,
        }
    }

    /// The head line over the results.
    pub(super) fn of_goals(self, met: usize, all: usize) -> String {
        match (self, met == all) {
            (Self::En, true) => format!("Goals met: all {all}"),
            (Self::En, false) => format!("Goals met: {met} of {all}"),
            (Self::Fr, true) => format!("Objectifs atteints\u{202f}: {all} sur {all}"),
            (Self::Fr, false) => format!("Objectifs atteints\u{202f}: {met} sur {all}"),
        }
    }

    /// A number with as many decimals as it needs to be told from its like: three digits in all.
    pub(super) fn number(self, value: f64) -> String {
        let decimals = match value.abs() {
            size if size >= 99.95 || size == 0.0 => 0,
            size if size >= 9.995 => 1,
            size if size >= 0.1 => 2,
            _ => 3,
        };
        self.decimals(value, decimals)
    }

    /// A number that somebody chose: no more decimals than it has, three at the most.
    pub(super) fn chosen(self, value: f64) -> String {
        let decimals = (0_u16..3).find(|decimals| {
            let power = 10_f64.powi(i32::from(*decimals));
            ((value * power).round() - value * power).abs() < 1e-6 * power
        });
        self.decimals(value, usize::from(decimals.unwrap_or(3)))
    }

    /// A number with so many decimals, in groups of three digits.
    pub(super) fn decimals(self, value: f64, decimals: usize) -> String {
        let plain = format!("{value:.decimals$}");
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("−", digits));
        // A narrow no-break space in French, a comma in English.
        let (group, point) = match self {
            Self::En => (",", "."),
            Self::Fr => ("\u{202f}", ","),
        };
        let mut text = sign.to_owned();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push_str(group);
            }
            text.push(digit);
        }
        if !fraction.is_empty() {
            text.push_str(point);
            text.push_str(fraction);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_their_language_does() {
        assert_eq!(Lang::En.number(1_234_567.0), "1,234,567");
        assert_eq!(Lang::Fr.number(1_234.0), "1\u{202f}234");
        assert_eq!(Lang::Fr.number(3.456), "3,46");
        assert_eq!(Lang::En.number(-42.51), "−42.5");
        assert_eq!(Lang::En.number(0.0), "0");
        assert_eq!(Lang::En.number(0.051), "0.051");
        assert_eq!(Lang::En.number(99.99), "100");
        assert_eq!(Lang::En.chosen(60.0), "60");
        assert_eq!(Lang::Fr.chosen(2.38), "2,38");
        assert_eq!(Lang::En.chosen(0.12345), "0.123");
    }

    #[test]
    fn every_word_is_there_in_both_languages() {
        // The fields are the same by type; none may be left empty.
        for words in [&EN, &FR] {
            for word in [words.verdict, words.goal, words.steps, words.remarks, words.mean_of, words.nothing]
            {
                assert!(!word.is_empty());
            }
        }
    }
}
