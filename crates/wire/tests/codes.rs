//! The table of error codes in `PROTOCOL.md` is what `code.rs` says.

#[cfg(test)]
mod codes {
    use std::collections::BTreeSet;

    use carillon_wire::Code;

    const PROTOCOL: &str = include_str!("../../../PROTOCOL.md");
    const START: &str = "<!-- codes -->\n";
    const END: &str = "<!-- /codes -->";

    /// The table as it must stand between the two marks.
    fn table() -> String {
        let rows = Code::ALL
            .iter()
            .map(|code| format!("| `{code}` | {} | {} |\n", code.status(), code.sentence()))
            .collect::<String>();
        format!("| code | HTTP | sentence |\n|---|---|---|\n{rows}")
    }

    /// What stands between the two marks of a page.
    fn between_marks(page: &str) -> Option<&str> {
        let (_, rest) = page.split_once(START)?;
        let (inside, _) = rest.split_once(END)?;
        Some(inside)
    }

    #[test]
    fn the_page_has_the_table_that_the_code_has() {
        let found =
            between_marks(PROTOCOL).expect("PROTOCOL.md has the marks <!-- codes --> and <!-- /codes -->");
        let right = table();
        assert!(
            found == right,
            "PROTOCOL.md, section 9, differs from code.rs. Put this between the marks:\n\n{right}"
        );
    }

    #[test]
    fn a_page_without_the_marks_or_with_another_table_is_noticed() {
        assert_eq!(between_marks("no marks"), None);
        assert_eq!(between_marks("<!-- codes -->\nno end"), None);
        assert_ne!(between_marks("<!-- codes -->\n| old |\n<!-- /codes -->"), Some(table().as_str()));
    }

    #[test]
    fn every_code_is_there_once_with_a_status_of_an_error_and_a_sentence() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code}");
            assert!(code.sentence().ends_with('.') && !code.sentence().contains('|'), "{code}");
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
        }
    }
}
