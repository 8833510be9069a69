//! Who may use whom (`ARCHITECTURE.md`, "The house").

use crate::Problem;
use crate::metadata::{Kind, Metadata};

/// What one member of the workspace may use of the others.
struct Row {
    member: &'static str,
    /// In the program.
    normal: &'static [&'static str],
    /// In its tests, beside what the program uses and [`TESTKIT`].
    dev: &'static [&'static str],
}

/// For tests alone, wherever it is used.
const TESTKIT: &str = "carillon-testkit";

/// `wire` ← {`call`, `policy`, `e2e`} ← {`client`, `server`}, `media` ← {`devices`, `transport`} ← `client` ← shells.
/// The shells and the tests may also embed a server.
const ROWS: &[Row] = &[
    Row { member: "carillon-wire", normal: &[], dev: &[] },
    // The arbiter is the other side of the call in its model.
    Row { member: "carillon-call", normal: &["carillon-wire"], dev: &["carillon-policy"] },
    Row { member: "carillon-policy", normal: &["carillon-wire"], dev: &[] },
    Row { member: "carillon-e2e", normal: &["carillon-wire"], dev: &[] },
    Row { member: "carillon-media", normal: &[], dev: &[] },
    Row { member: "carillon-devices", normal: &["carillon-media"], dev: &["carillon-fakecam"] },
    Row { member: "carillon-fakecam", normal: &["carillon-media"], dev: &[] },
    Row { member: "carillon-link", normal: &[], dev: &[] },
    Row { member: "carillon-measure", normal: &["carillon-media"], dev: &[] },
    Row {
        member: "carillon-transport",
        normal: &["carillon-wire", "carillon-call", "carillon-media"],
        dev: &["carillon-link"],
    },
    Row {
        member: "carillon-client",
        normal: &[
            "carillon-wire",
            "carillon-call",
            "carillon-policy",
            "carillon-e2e",
            "carillon-media",
            "carillon-devices",
            "carillon-transport",
        ],
        dev: &[],
    },
    Row {
        member: "carillon-server",
        normal: &["carillon-wire", "carillon-call", "carillon-policy", "carillon-e2e"],
        dev: &[],
    },
    Row {
        member: "carillon-cli",
        normal: &["carillon-wire", "carillon-client", "carillon-server", "carillon-link", "carillon-measure"],
        dev: &[],
    },
    Row {
        member: "carillon-shell",
        normal: &["carillon-wire", "carillon-client", "carillon-server"],
        dev: &[],
    },
    Row { member: "carillon-app", normal: &["carillon-wire", "carillon-client", "carillon-shell"], dev: &[] },
    Row { member: TESTKIT, normal: &[], dev: &[] },
    Row { member: "xtask", normal: &[], dev: &[] },
];

/// Made of tests, so it may use whatever it tests.
const TESTS: &str = "carillon-tests";

/// What members of the workspace use of each other and may not.
pub fn problems(metadata: &Metadata) -> Vec<Problem> {
    let members: Vec<&str> = metadata.members().map(|package| package.name.as_str()).collect();
    let mut problems = Vec::new();
    for package in metadata.members().filter(|package| package.name != TESTS) {
        let Some(row) = ROWS.iter().find(|row| row.member == package.name) else {
            problems.push(format!("{} has no row in {}: say whom it may use", package.name, file!()));
            continue;
        };
        for dependency in &package.dependencies {
            let used = dependency.name.as_str();
            if !members.contains(&used) {
                continue;
            }
            let allowed = row.normal.contains(&used)
                || (dependency.kind == Kind::Dev && (row.dev.contains(&used) || used == TESTKIT));
            if !allowed {
                problems.push(format!("{} may not use {used} ({:?})", package.name, dependency.kind));
            }
        }
        if package.name == "xtask" && !package.dependencies.is_empty() {
            problems.push("xtask uses the standard library alone, so that it builds in seconds".to_owned());
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::made_up;

    fn uses(member: &str, used: &str, kind: &str) -> Vec<Problem> {
        problems(&made_up(&[(member, &[(used, kind), ("serde", kind)])]))
    }

    #[test]
    fn a_crate_may_use_what_its_row_says_and_what_is_not_ours() {
        assert_eq!(uses("carillon-server", "carillon-policy", "normal"), [""; 0]);
        assert_eq!(uses("carillon-cli", "carillon-server", "normal"), [""; 0]);
        assert_eq!(uses("carillon-tests", "carillon-server", "normal"), [""; 0]);
    }

    #[test]
    fn a_crate_may_not_use_what_stands_above_or_beside_it() {
        for (member, used) in [
            ("carillon-wire", "carillon-call"),
            ("carillon-policy", "carillon-call"),
            ("carillon-e2e", "carillon-server"),
            ("carillon-media", "carillon-wire"),
            ("carillon-server", "carillon-client"),
            ("carillon-server", "carillon-media"),
            ("carillon-server", "carillon-transport"),
            ("carillon-client", "carillon-server"),
            ("carillon-client", "carillon-cli"),
            ("carillon-cli", "carillon-call"),
        ] {
            for kind in ["normal", "dev", "build"] {
                let expected = format!("{member} may not use {used}");
                let found = uses(member, used, kind);
                assert!(found.iter().any(|problem| problem.starts_with(&expected)), "{kind}: {found:?}");
            }
        }
    }

    #[test]
    fn the_arbiter_is_for_the_tests_of_the_call_alone() {
        assert_eq!(uses("carillon-call", "carillon-policy", "dev"), [""; 0]);
        assert_eq!(uses("carillon-call", "carillon-policy", "normal").len(), 1);
    }

    #[test]
    fn the_testkit_is_for_tests_alone() {
        assert_eq!(uses("carillon-server", TESTKIT, "dev"), [""; 0]);
        assert_eq!(uses("carillon-server", TESTKIT, "normal").len(), 1);
    }

    #[test]
    fn a_new_member_needs_a_row() {
        let found = problems(&made_up(&[("carillon-extra", &[])]));
        assert!(found[0].starts_with("carillon-extra has no row"), "{found:?}");
    }

    #[test]
    fn the_tasks_use_nothing() {
        assert_eq!(uses("xtask", "serde", "normal").len(), 1);
    }
}
