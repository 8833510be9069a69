//! The page as a reader and as a machine get it.

use carillon_measure::Series;
use carillon_measure::report::{Fact, Goal, Lang, Plot, Report, Step, Verdict, html};
use proptest::prelude::*;

fn report(word: &str) -> Report {
    let mut delay = Series::new(word);
    for second in 0..30_u32 {
        delay.push(f64::from(second), 40.0 + f64::from(second % 7));
    }
    delay.gap(30.0);
    let mut plot = Plot::new(word, word, vec![delay.clone(), delay]);
    plot.goal = Some(Goal::AtMost(60.0));
    plot.marks = vec![(10.0, word.to_owned())];
    Report {
        lang: Lang::En,
        title: word.to_owned(),
        subtitle: word.to_owned(),
        machine: vec![Fact::new(word, word)],
        settings: vec![Fact::new(word, word)],
        verdicts: vec![
            Verdict::new(word, Some(44.2), word).with_goal(Goal::AtMost(60.0)),
            Verdict::new(word, Some(1.0), word).with_goal(Goal::AtLeast(2.0)),
            Verdict::new(word, None, word).with_goal(Goal::AtLeast(2.0)),
            Verdict::new(word, Some(7.0), word),
        ],
        steps: vec![
            Step { name: word.to_owned(), millis: 48.0 },
            Step { name: word.to_owned(), millis: 3.5 },
        ],
        plots: vec![plot, Plot::new(word, word, vec![Series::new(word)])],
        remarks: vec![word.to_owned()],
    }
}

/// The page's tags, with a check that each that is opened is closed in order.
fn well_formed(page: &str) -> Result<(), String> {
    const VOID: [&str; 1] = ["meta"];
    let mut open = Vec::new();
    let mut rest = page.strip_prefix("<!doctype html>").ok_or("no doctype")?;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').ok_or("a tag without an end")?;
        rest = after;
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if tag.starts_with('/') {
            let last = open.pop();
            if last != Some(name) {
                return Err(format!("</{name}> closes {last:?}"));
            }
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("left open: {open:?}")) }
}

#[test]
fn what_is_met_is_told_in_words_and_signs() {
    let page = html(&report("word"));
    well_formed(&page).unwrap();
    assert!(page.contains("Goals met: 1 of 3"), "{page}");
    assert_eq!(page.matches(">✓ </span>met").count(), 1);
    assert_eq!(page.matches(">✗ </span>missed").count(), 2);
    assert!(page.contains("not measured"));
}

#[test]
fn the_page_is_in_the_language_of_the_report() {
    let page = html(&Report { lang: Lang::Fr, ..report("mot") });
    assert!(page.contains("<html lang=\"fr\">"));
    assert!(page.contains("Objectifs atteints : 1 sur 3") && page.contains("44,2"), "{page}");
    assert!(html(&report("word")).contains("<html lang=\"en\">"));
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_runs_nothing() {
    let page = html(&report("word"));
    for elsewhere in ["http:", "https:", "//", "src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn each_plot_has_a_name_a_description_and_a_table() {
    let page = html(&report("word"));
    assert!(page.contains("role=\"img\" aria-labelledby=\"plot0-name plot0-told\""));
    assert!(page.contains("<desc id=\"plot0-told\">word: lowest 40.0"), "{page}");
    assert_eq!(page.matches("<caption>").count(), 1);
    // The one without values says so.
    assert!(page.contains("Nothing was measured."));
}

#[test]
fn an_empty_report_is_a_page_too() {
    well_formed(&html(&Report::default())).unwrap();
}

#[test]
fn machines_get_the_same() {
    let json = serde_json::to_value(report("word")).unwrap();
    assert_eq!(json["verdicts"][0]["met"], true);
    assert_eq!(json["verdicts"][0]["goal"]["at_most"], 60.0);
    assert_eq!(json["verdicts"][2]["value"], serde_json::Value::Null);
    assert_eq!(json["plots"][0]["series"][0]["points"][0]["value"], 40.0);
}

proptest! {
    #[test]
    fn no_word_becomes_markup(word in ".{0,40}") {
        let page = html(&report(&word));
        prop_assert!(well_formed(&page).is_ok(), "{:?}", well_formed(&page));
    }

    #[test]
    fn no_value_breaks_the_page(values in prop::collection::vec(any::<f64>(), 0..50), goal: f64) {
        let mut odd = report("x");
        let mut series = Series::new("odd");
        values.iter().for_each(|value| series.push(*value, *value));
        odd.plots[0].series.push(series);
        odd.plots[0].goal = Some(Goal::AtLeast(goal));
        odd.verdicts.push(Verdict::new("odd", values.first().copied(), "").with_goal(Goal::AtMost(goal)));
        odd.steps.push(Step { name: "odd".into(), millis: goal });
        let page = html(&odd);
        prop_assert!(well_formed(&page).is_ok(), "{:?}", well_formed(&page));
        // In the drawings; a goal of infinity may be told as such.
        for part in page.split(" d=\"").skip(1) {
            let path = part.split('"').next().unwrap_or_default();
            prop_assert!(!path.contains("NaN") && !path.contains("inf"), "{path}");
        }
    }
}
