//! Text that can't become markup.

use std::fmt::Write;

/// Escapes `text` for content and for attributes in double quotes. Control characters, which XML forbids, go.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(' '),
            char if char.is_control() => {}
            char => escaped.push(char),
        }
    }
    escaped
}

/// A page in the making. Everything that is not a literal of ours goes through [`escape`].
#[derive(Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Markup of ours.
    pub(super) fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Somebody's words.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.push_str(&escape(text));
        self
    }

    /// Markup of ours with numbers of ours in it.
    pub(super) fn put(&mut self, markup: std::fmt::Arguments<'_>) -> &mut Self {
        // Writing into a string does not fail.
        let _ = self.0.write_fmt(markup);
        self
    }

    /// `<tag>text</tag>`.
    pub(super) fn element(&mut self, tag: &str, text: &str) -> &mut Self {
        let name = tag.split(' ').next().unwrap_or(tag);
        self.put(format_args!("<{tag}>")).text(text).put(format_args!("</{name}>"))
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_marks_up_is_left() {
        assert_eq!(
            escape("<a href=\"x\" b='y'>&\u{0}\n"),
            "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp; "
        );
    }

    #[test]
    fn an_element_closes_by_its_name() {
        let mut markup = Markup::default();
        markup.element("th scope=\"row\"", "a<b");
        assert_eq!(markup.finish(), "<th scope=\"row\">a&lt;b</th>");
    }
}
