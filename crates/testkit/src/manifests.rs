//! What every package says about itself.

use crate::Problem;
use crate::metadata::Package;

/// The licence of everything in this repository.
pub const LICENCE: &str = "MIT OR Apache-2.0";

/// A package with a table of lints of its own, and what must stand in it.
struct OwnLints {
    member: &'static str,
    /// Lines of its `Cargo.toml`.
    lines: &'static [&'static str],
}

const OWN_LINTS: &[OwnLints] = &[
    // Stricter: a panic in the middle of a call is an end of the call that somebody else chose.
    OwnLints {
        member: "carillon-e2e",
        lines: &[
            "unsafe_code = \"forbid\"",
            "missing_docs = \"deny\"",
            "unwrap_used = \"deny\"",
            "expect_used = \"deny\"",
            "panic = \"deny\"",
            "todo = \"deny\"",
            "unimplemented = \"deny\"",
        ],
    },
    // Speaks to a terminal and stops at what it did not expect.
    OwnLints {
        member: "carillon-tests",
        lines: &[
            "unsafe_code = \"forbid\"",
            "missing_docs = \"warn\"",
            "all = { level = \"warn\", priority = -1 }",
        ],
    },
];

/// What a package lacks, from cargo's view of it and the text of its `Cargo.toml`.
pub fn problems(package: &Package, manifest: &str) -> Vec<Problem> {
    let name = &package.name;
    let mut problems = Vec::new();
    if package.license.as_deref() != Some(LICENCE) {
        problems.push(format!("{name}: the licence is not `{LICENCE}`: write `license.workspace = true`"));
    }
    if package.publish.as_deref() != Some(&[]) {
        problems.push(format!("{name}: it could be published: write `publish.workspace = true`"));
    }
    match OWN_LINTS.iter().find(|own| own.member == name) {
        None => {
            if !lines_of_table(manifest, "lints").any(|line| line == "workspace = true") {
                problems.push(format!("{name}: it does not take the workspace's lints"));
            }
        }
        Some(own) => {
            let lines: Vec<_> = lines_of_table(manifest, "lints.rust")
                .chain(lines_of_table(manifest, "lints.clippy"))
                .collect();
            let missing = own.lines.iter().filter(|line| !lines.contains(line));
            problems.extend(missing.map(|line| format!("{name}: its lints lack `{line}`")));
        }
    }
    problems
}

/// The lines of a table of a TOML file, without blanks at their ends.
fn lines_of_table<'a>(toml: &'a str, table: &str) -> impl Iterator<Item = &'a str> {
    let head = format!("[{table}]");
    toml.lines()
        .map(str::trim)
        .skip_while(move |line| *line != head)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n\n[dependencies]\n";

    fn package(name: &str) -> Package {
        serde_json::from_value(serde_json::json!({
            "id": name, "name": name, "license": LICENCE, "publish": [],
        }))
        .unwrap()
    }

    #[test]
    fn a_package_with_everything_has_no_problem() {
        assert_eq!(problems(&package("carillon-x"), GOOD), [""; 0]);
    }

    #[test]
    fn a_package_without_licence_or_for_everybody_to_publish_is_named() {
        let bare = Package { license: None, publish: None, ..package("carillon-x") };
        assert_eq!(problems(&bare, GOOD).len(), 2);
        let other = Package { license: Some("GPL-3.0".to_owned()), ..package("carillon-x") };
        assert_eq!(problems(&other, GOOD).len(), 1);
    }

    #[test]
    fn a_package_without_the_lints_is_named() {
        for manifest in [
            "[package]\nname = \"x\"\n",
            "[lints]\n[dependencies]\nworkspace = true\n",
            "[lints]\n# workspace = true\n",
            "[lints.clippy]\nworkspace = true\n",
        ] {
            assert_eq!(problems(&package("carillon-x"), manifest).len(), 1, "{manifest}");
        }
    }

    #[test]
    fn own_lints_are_for_those_on_the_list_and_must_be_as_strict_as_it_says() {
        assert_eq!(problems(&package("carillon-e2e"), GOOD).len(), 7);
        let weaker = "[lints.rust]\nunsafe_code = \"forbid\"\nmissing_docs = \"deny\"\n\n[lints.clippy]\n\
                      unwrap_used = \"warn\"\nexpect_used = \"deny\"\npanic = \"deny\"\ntodo = \"deny\"\n\
                      unimplemented = \"deny\"\n";
        let found = problems(&package("carillon-e2e"), weaker);
        assert_eq!(found, ["carillon-e2e: its lints lack `unwrap_used = \"deny\"`"]);
    }
}
