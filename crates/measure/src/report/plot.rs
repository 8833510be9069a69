//! A plot as inline SVG, drawn by hand: a frame, lines at round numbers, paths.

use super::html::Markup;
use super::scale::Scale;
use super::texts::Lang;
use super::{Goal, Plot};
use crate::{Point, Series};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 244.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 32.0;
/// About the width of a letter of a label.
const LETTER: f64 = 6.6;
const BOTTOM: f64 = 26.0;

/// More points than this are thinned: the least and the greatest of each column stay, so that no peak is hidden.
const MOST_POINTS: usize = 1400;
const COLUMNS: usize = 600;
/// Colours there are.
const COLOURS: usize = 5;
/// Rows of a table at the most.
const ROWS: usize = 40;

/// The plot's axes.
struct Frame {
    time: Scale,
    value: Scale,
}

impl Frame {
    fn of(plot: &Plot) -> Self {
        let last = plot.series.iter().filter_map(|series| series.points.last());
        let end = last.map(|point| point.seconds).fold(0.0, f64::max);
        let values = plot.series.iter().flat_map(Series::values).chain(plot.goal.map(limit));
        Self { time: Scale::time(end, 9), value: Scale::around(values, 4) }
    }

    fn x(&self, seconds: f64) -> f64 {
        LEFT + self.time.place(seconds) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.value.place(value) * (HEIGHT - TOP - BOTTOM)
    }
}

fn limit(goal: Goal) -> f64 {
    match goal {
        Goal::AtMost(limit) | Goal::AtLeast(limit) => limit,
    }
}

/// The colour of the series with this index, 1 to 5.
pub(super) fn colour(index: usize) -> usize {
    index % COLOURS + 1
}

/// Draws it. `id` tells it apart on the page; what it shows is told in words to those who can't see it.
pub(super) fn draw(out: &mut Markup, plot: &Plot, id: usize, told: &str, lang: Lang) {
    let frame = Frame::of(plot);
    out.put(format_args!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"plot{id}-name plot{id}-told\"><title id=\"plot{id}-name\">"
    ));
    out.text(&plot.name).put(format_args!("</title><desc id=\"plot{id}-told\">")).text(told).raw("</desc>");
    grid(out, &frame, &plot.unit, lang);
    marks(out, &frame, plot);
    goal(out, &frame, plot.goal, lang);
    for (index, series) in plot.series.iter().enumerate() {
        let points = thinned(&series.points);
        let class = colour(index);
        if plot.series.len() == 1 {
            let area = path(&frame, &points, true);
            out.put(format_args!("<path class=\"area a{class}\" d=\"{area}\"/>"));
        }
        let line = path(&frame, &points, false);
        out.put(format_args!("<path class=\"line s{class}\" d=\"{line}\"/>"));
    }
    out.raw("</svg>");
}

fn grid(out: &mut Markup, frame: &Frame, unit: &str, lang: Lang) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    out.raw("<g class=\"grid\">");
    for value in frame.value.lines() {
        let y = frame.y(value);
        out.put(format_args!("<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"));
        out.put(format_args!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">", LEFT - 8.0, y + 4.0));
        out.text(&lang.decimals(value, frame.value.decimals())).raw("</text>");
    }
    for seconds in frame.time.lines() {
        let x = frame.x(seconds);
        out.put(format_args!("<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom}\" y2=\"{}\"/>", bottom + 4.0));
        out.put(format_args!("<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">", bottom + 18.0));
        out.text(&lang.decimals(seconds, frame.time.decimals())).raw(" s</text>");
    }
    out.put(format_args!("<text x=\"{:.1}\" y=\"20\" text-anchor=\"end\">", LEFT - 8.0));
    out.text(unit).raw("</text></g>");
}

fn marks(out: &mut Markup, frame: &Frame, plot: &Plot) {
    let bottom = HEIGHT - BOTTOM;
    // Where the last label of each of the two rows ends.
    let mut ends = [0.0; 2];
    for (seconds, word) in plot.marks.iter().filter(|(seconds, _)| (0.0..=frame.time.high).contains(seconds))
    {
        let x = frame.x(*seconds);
        let length = word.chars().count() as f64 * LETTER;
        let from = if x + length > WIDTH - RIGHT { x - length - 4.0 } else { x + 4.0 };
        let row = usize::from(from < ends[0] && ends[1] <= ends[0]);
        ends[row] = from + length + 4.0;
        let y = if row == 0 { 11 } else { 24 };
        out.put(format_args!(
            "<g class=\"mark\"><line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"2\" y2=\"{bottom}\"/>"
        ));
        out.put(format_args!("<text x=\"{from:.1}\" y=\"{y}\">")).text(word).raw("</text></g>");
    }
}

fn goal(out: &mut Markup, frame: &Frame, goal: Option<Goal>, lang: Lang) {
    let Some(goal) = goal.filter(|goal| limit(*goal).is_finite()) else { return };
    let (y, right) = (frame.y(limit(goal)), WIDTH - RIGHT);
    let sign = if matches!(goal, Goal::AtMost(_)) { "≤" } else { "≥" };
    out.put(format_args!(
        "<g class=\"goal\"><line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
    ));
    out.put(format_args!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">", right - 2.0, y - 5.0));
    out.text(&format!("{sign} {}", lang.chosen(limit(goal)))).raw("</text></g>");
}

/// The path through the points, broken at gaps; or the area under it.
fn path(frame: &Frame, points: &[Point], area: bool) -> String {
    let base = frame.y(frame.value.low.max(0.0).min(frame.value.high));
    let mut path = String::new();
    let mut last_x = None;
    for point in points {
        let Some(value) = point.value else {
            close(&mut path, area, last_x.take(), base);
            continue;
        };
        let (x, y) = (frame.x(point.seconds), frame.y(value));
        let step = match (last_x, area) {
            (None, true) => format!("M{x:.1} {base:.1}L{x:.1} {y:.1}"),
            // A line of no length: a point between two gaps shows as a dot.
            (None, false) => format!("M{x:.1} {y:.1}h0"),
            (Some(_), _) => format!("L{x:.1} {y:.1}"),
        };
        path.push_str(&step);
        last_x = Some(x);
    }
    close(&mut path, area, last_x, base);
    path
}

fn close(path: &mut String, area: bool, last_x: Option<f64>, base: f64) {
    if let (true, Some(x)) = (area, last_x) {
        path.push_str(&format!("L{x:.1} {base:.1}Z"));
    }
}

/// The points, or the least and the greatest of each column if there are very many.
fn thinned(points: &[Point]) -> Vec<Point> {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    let mut thinned = Vec::with_capacity(2 * COLUMNS + 2);
    for column in points.chunks(points.len().div_ceil(COLUMNS)) {
        let mut gaps = column.iter().filter(|point| point.value.is_none());
        let by_value = |left: &&Point, right: &&Point| {
            left.value.unwrap_or_default().total_cmp(&right.value.unwrap_or_default())
        };
        let values = || column.iter().filter(|point| point.value.is_some());
        let mut kept: Vec<Point> = values()
            .min_by(by_value)
            .into_iter()
            .chain(values().max_by(by_value))
            .chain(gaps.next())
            .copied()
            .collect();
        kept.sort_by(|left, right| left.seconds.total_cmp(&right.seconds));
        thinned.extend(kept);
    }
    thinned
}

/// The rows of a plot's table: when each begins, and each series' mean from there to the next.
pub(super) fn rows(plot: &Plot) -> Vec<(f64, Vec<Option<f64>>)> {
    let end = Frame::of(plot).time.high;
    let longest = plot.series.iter().map(|series| series.points.len()).max().unwrap_or(0);
    let count = longest.min(ROWS);
    let width = end / count.max(1) as f64;
    let mean = |series: &Series, row: usize| {
        let (from, until) = (row as f64 * width, (row + 1) as f64 * width);
        let is_last = row + 1 == count;
        let mut sum = (0.0, 0_u32);
        for point in &series.points {
            let inside = point.seconds >= from && (point.seconds < until || is_last);
            if let (true, Some(value)) = (inside, point.value) {
                sum = (sum.0 + value, sum.1 + 1);
            }
        }
        (sum.1 > 0).then(|| sum.0 / f64::from(sum.1))
    };
    (0..count)
        .map(|row| (row as f64 * width, plot.series.iter().map(|series| mean(series, row)).collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        let mut series = Series::new("x");
        for (second, value) in (0_u32..).zip(values) {
            series.push(f64::from(second), *value);
        }
        series
    }

    #[test]
    fn a_gap_breaks_the_line() {
        let plot = Plot::new("p", "ms", vec![series(&[1.0, 2.0, f64::NAN, 3.0])]);
        let line = path(&Frame::of(&plot), &plot.series[0].points, false);
        assert_eq!(line.matches('M').count(), 2, "{line}");
        let area = path(&Frame::of(&plot), &plot.series[0].points, true);
        assert_eq!(area.matches('Z').count(), 2, "{area}");
    }

    #[test]
    fn thinning_keeps_the_highest_and_the_lowest() {
        let mut values: Vec<f64> = (0..100_000_u32).map(|n| f64::from(n % 7)).collect();
        values[51_234] = 99.0;
        values[70_000] = -99.0;
        let thinned = thinned(&series(&values).points);
        assert!(thinned.len() <= 3 * COLUMNS);
        assert!(thinned.iter().any(|point| point.value == Some(99.0)));
        assert!(thinned.iter().any(|point| point.value == Some(-99.0)));
        assert!(thinned.is_sorted_by(|left, right| left.seconds <= right.seconds));
    }

    #[test]
    fn a_table_has_the_means_and_not_too_many_rows() {
        let plot = Plot::new("p", "ms", vec![series(&[1.0, 3.0, 5.0]), series(&[2.0])]);
        let rows = rows(&plot);
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].1, [Some(1.0), Some(2.0)]);
        assert_eq!(rows[2].1, [Some(5.0), None]);
        let long: Vec<f64> = (0..10_000_u32).map(f64::from).collect();
        assert_eq!(super::rows(&Plot::new("p", "", vec![series(&long)])).len(), ROWS);
        assert_eq!(super::rows(&Plot::new("p", "", vec![])).len(), 0);
    }
}
