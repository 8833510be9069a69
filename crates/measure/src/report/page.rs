//! The page.

use super::html::Markup;
use super::texts::{Lang, Words};
use super::{Fact, Goal, Plot, Report, Verdict, plot};

/// The one style sheet.
const STYLE: &str = include_str!("style.css");

/// The report as one page that needs nothing else: no script, no font, no picture from anywhere.
pub fn html(report: &Report) -> String {
    let words = report.lang.words();
    let mut out = Markup::default();
    out.raw("<!doctype html>\n<html lang=\"").raw(words.tag).raw("\"><head><meta charset=\"utf-8\">");
    // Even if something slipped through, it could load and run nothing.
    out.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">");
    out.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    out.raw("<meta name=\"color-scheme\" content=\"light dark\">");
    out.element("title", &report.title).raw("<style>").raw(STYLE).raw("</style></head>\n<body><main>");
    header(&mut out, report);
    verdicts(&mut out, &report.verdicts, report.lang, words);
    steps(&mut out, report, words);
    plots(&mut out, &report.plots, report.lang, words);
    out.raw("<div class=\"facts\">");
    facts(&mut out, words.settings, &report.settings);
    facts(&mut out, words.machine, &report.machine);
    out.raw("</div>");
    remarks(&mut out, &report.remarks, words);
    out.raw("</main></body></html>\n");
    out.finish()
}

fn header(out: &mut Markup, report: &Report) {
    out.raw("<header>").element("h1", &report.title);
    if !report.subtitle.is_empty() {
        out.element("p", &report.subtitle);
    }
    let met: Vec<bool> = report.verdicts.iter().filter_map(|verdict| verdict.met).collect();
    if !met.is_empty() {
        let good = met.iter().filter(|met| **met).count();
        let (class, sign) = if good == met.len() { ("met", "✓ ") } else { ("missed", "✗ ") };
        out.put(format_args!("<p class=\"sum {class}\"><span aria-hidden=\"true\">{sign}</span>"));
        out.text(&report.lang.of_goals(good, met.len())).raw("</p>");
    }
    out.raw("</header>");
}

fn verdicts(out: &mut Markup, verdicts: &[Verdict], lang: Lang, words: &Words) {
    if verdicts.is_empty() {
        return;
    }
    out.raw("<section>").element("h2", words.verdict);
    out.raw("<div class=\"wide\"><table class=\"verdicts\"><thead><tr>");
    out.element("th scope=\"col\"", words.what).element("th scope=\"col\" class=\"number\"", words.measured);
    out.element("th scope=\"col\" class=\"number\"", words.goal)
        .raw("<td></td><td></td></tr></thead><tbody>");
    for verdict in verdicts {
        out.raw("<tr>").element("th scope=\"row\"", &verdict.name).raw("<td class=\"number\">");
        match verdict.value {
            Some(value) => out.element("b", &lang.number(value)).raw(" ").text(&verdict.unit),
            None => out.text(words.not_measured),
        };
        out.raw("</td><td class=\"number\">");
        match verdict.goal {
            Some(Goal::AtMost(limit)) => out
                .put(format_args!("<span aria-label=\"{}\">≤</span> ", words.at_most))
                .text(&lang.chosen(limit)),
            Some(Goal::AtLeast(limit)) => out
                .put(format_args!("<span aria-label=\"{}\">≥</span> ", words.at_least))
                .text(&lang.chosen(limit)),
            None => out.put(format_args!("<span class=\"none\" aria-label=\"{}\">–</span>", words.no_goal)),
        };
        if verdict.goal.is_some() {
            out.raw(" ").text(&verdict.unit);
        }
        out.raw("</td><td class=\"state\">");
        match verdict.met {
            Some(true) => out
                .raw("<span class=\"met\"><span aria-hidden=\"true\">✓ </span>")
                .text(words.met)
                .raw("</span>"),
            Some(false) => out
                .raw("<span class=\"missed\"><span aria-hidden=\"true\">✗ </span>")
                .text(words.missed)
                .raw("</span>"),
            None => out,
        };
        out.raw("</td><td class=\"bar\">");
        bar(out, verdict);
        out.raw("</td></tr>");
    }
    out.raw("</tbody></table></div></section>");
}

/// The value beside its goal, which stands at two thirds.
fn bar(out: &mut Markup, verdict: &Verdict) {
    let (Some(value), Some(Goal::AtMost(limit) | Goal::AtLeast(limit))) = (verdict.value, verdict.goal)
    else {
        return;
    };
    if limit.is_nan() || limit <= 0.0 {
        return;
    }
    let width = (value / (1.5 * limit)).clamp(0.0, 1.0) * 120.0;
    let class = if verdict.met == Some(true) { "met" } else { "missed" };
    out.put(format_args!(
        "<svg viewBox=\"0 0 120 14\" aria-hidden=\"true\"><rect class=\"track\" y=\"4\" width=\"120\" height=\"6\" rx=\"3\"/><rect class=\"{class}\" y=\"4\" width=\"{width:.1}\" height=\"6\" rx=\"3\"/><line x1=\"80\" x2=\"80\" y1=\"1\" y2=\"13\"/></svg>"
    ));
}

fn steps(out: &mut Markup, report: &Report, words: &Words) {
    if report.steps.is_empty() {
        return;
    }
    let length = |millis: f64| if millis.is_finite() { millis.max(0.0) } else { 0.0 };
    let total: f64 = report.steps.iter().map(|step| length(step.millis)).sum();
    let scale = if total > 0.0 { 400.0 / total } else { 0.0 };
    out.raw("<section>")
        .element("h2", words.steps)
        .raw("<div class=\"wide\"><table class=\"steps\"><thead><tr>");
    out.element("th scope=\"col\"", words.step).element("th scope=\"col\" class=\"number\"", words.took);
    out.raw("<td></td></tr></thead><tbody>");
    let mut begins = 0.0;
    for step in &report.steps {
        let millis = length(step.millis);
        let (x, width) = (begins * scale, (millis * scale).max(1.5));
        out.raw("<tr>").element("th scope=\"row\"", &step.name).raw("<td class=\"number\">");
        out.text(&report.lang.number(millis)).raw(" ms</td><td class=\"flow\">");
        out.put(format_args!(
            "<svg viewBox=\"0 0 402 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect x=\"{x:.1}\" y=\"2\" width=\"{width:.1}\" height=\"10\" rx=\"2\"/></svg></td></tr>"
        ));
        begins += millis;
    }
    out.raw("</tbody><tfoot><tr>").element("th scope=\"row\"", words.total).raw("<td class=\"number\">");
    out.text(&report.lang.number(total)).raw(" ms</td><td></td></tr></tfoot></table></div></section>");
}

fn plots(out: &mut Markup, plots: &[Plot], lang: Lang, words: &Words) {
    if plots.is_empty() {
        return;
    }
    out.raw("<section>").element("h2", words.in_time);
    for (id, one) in plots.iter().enumerate() {
        out.raw("<figure><figcaption>").element("h3", &one.name);
        legend(out, one, lang, words);
        out.raw("</figcaption>");
        if one.series.iter().all(|series| series.values().next().is_none()) {
            out.element("p", words.nothing).raw("</figure>");
            continue;
        }
        let told: Vec<String> =
            one.series.iter().map(|series| told(series, &one.unit, lang, words)).collect();
        out.raw("<div class=\"wide\">");
        plot::draw(out, one, id, &told.join(". "), lang);
        out.raw("</div><details>").element("summary", words.as_table);
        table(out, one, lang, words);
        out.raw("</details></figure>");
    }
    out.raw("</section>");
}

/// A series in a sentence.
fn told(series: &crate::Series, unit: &str, lang: Lang, words: &Words) -> String {
    match series.summary() {
        Some(summary) => format!(
            "{}: {} {} {unit}, {} {} {unit}, {} {} {unit}",
            series.name,
            words.least,
            lang.number(summary.least),
            words.median,
            lang.number(summary.median),
            words.greatest,
            lang.number(summary.greatest)
        ),
        None => format!("{}: {}", series.name, words.nothing),
    }
}

fn legend(out: &mut Markup, plot: &Plot, lang: Lang, words: &Words) {
    out.raw("<ul>");
    for (index, series) in plot.series.iter().enumerate() {
        let class = plot::colour(index);
        out.put(format_args!(
            "<li><svg viewBox=\"0 0 22 8\" aria-hidden=\"true\"><path class=\"line s{class}\" d=\"M1 4h20\"/></svg>"
        ));
        out.element("span", &series.name);
        if let Some(summary) = series.summary() {
            let numbers = [
                (words.median, summary.median),
                (words.p95, summary.p95),
                (words.greatest, summary.greatest),
            ];
            let numbers = numbers.map(|(word, value)| format!("{word} {}", lang.number(value)));
            out.element("span class=\"numbers\"", &format!("{} {}", numbers.join(" · "), plot.unit));
        }
        out.raw("</li>");
    }
    out.raw("</ul>");
}

fn table(out: &mut Markup, plot: &Plot, lang: Lang, words: &Words) {
    out.raw("<div class=\"wide\"><table><caption>").text(&plot.name).raw(". ").text(words.mean_of);
    out.raw("</caption><thead><tr>").element("th scope=\"col\" class=\"number\"", words.seconds);
    for series in &plot.series {
        let unit = if plot.unit.is_empty() { String::new() } else { format!(" ({})", plot.unit) };
        out.element("th scope=\"col\" class=\"number\"", &format!("{}{unit}", series.name));
    }
    out.raw("</tr></thead><tbody>");
    for (seconds, values) in plot::rows(plot) {
        out.raw("<tr>").element("th scope=\"row\" class=\"number\"", &lang.decimals(seconds, 1));
        for value in values {
            let text = value.map_or_else(|| "–".to_owned(), |value| lang.number(value));
            out.element("td class=\"number\"", &text);
        }
        out.raw("</tr>");
    }
    out.raw("</tbody></table></div>");
}

fn facts(out: &mut Markup, title: &str, facts: &[Fact]) {
    if facts.is_empty() {
        return;
    }
    out.raw("<section>").element("h2", title).raw("<dl>");
    for fact in facts {
        out.element("dt", &fact.name).element("dd", &fact.value);
    }
    out.raw("</dl></section>");
}

fn remarks(out: &mut Markup, remarks: &[String], words: &Words) {
    if remarks.is_empty() {
        return;
    }
    out.raw("<section>").element("h2", words.remarks).raw("<ul class=\"remarks\">");
    for remark in remarks {
        out.element("li", remark);
    }
    out.raw("</ul></section>");
}
