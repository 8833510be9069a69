//! What a pure crate does without (`ARCHITECTURE.md`, "Pure crates"): time and randomness are its arguments, and it
//! neither waits nor reaches out of the process.

use crate::Problem;
use crate::metadata::Metadata;

/// The pure crates, by their names; one that is not in the workspace yet is passed over.
pub const PURE: &[&str] = &["carillon-wire", "carillon-call", "carillon-policy", "carillon-media"];

/// Crates that must not come with a runtime, a socket or randomness of the system's, though they are not all pure:
/// `e2e` may keep secrets from being swapped out, and takes time and randomness as arguments.
pub const WITHOUT_SYSTEM: &[&str] =
    &["carillon-wire", "carillon-call", "carillon-policy", "carillon-media", "carillon-e2e"];

/// Packages that bring a clock, a socket, a thread or randomness.
const BANNED: &[&str] = &[
    "async-std",
    "chrono",
    "crossbeam-channel",
    "fastrand",
    "getrandom",
    "hyper",
    "jiff",
    "mio",
    "quinn",
    "rand",
    "rayon",
    "reqwest",
    "rustix",
    "rustls",
    "smol",
    "socket2",
    "sqlx",
    "time",
    "tokio",
    "uuid",
];

/// What each pure crate's `clippy.toml` must list among its `disallowed-methods`.
pub const DISALLOWED_METHODS: &[&str] = &[
    "std::env::var",
    "std::env::var_os",
    "std::fs::File::open",
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::write",
    "std::net::TcpListener::bind",
    "std::net::TcpStream::connect",
    "std::net::UdpSocket::bind",
    "std::process::Command::new",
    "std::thread::sleep",
    "std::thread::spawn",
    "std::time::Instant::elapsed",
    "std::time::Instant::now",
    "std::time::SystemTime::elapsed",
    "std::time::SystemTime::now",
];

/// What must not stand in the source of a pure crate, and why. A second guard: clippy sees calls, this sees words.
const BANNED_WORDS: &[(&str, &str)] = &[
    ("Instant::now", "take `now` as an argument"),
    ("SystemTime::now", "take `now` as an argument"),
    (".elapsed()", "it asks the clock"),
    ("thread_rng", "take the random bytes as an argument"),
    ("OsRng", "take the random bytes as an argument"),
    ("RandomState", "it is seeded by the system"),
    ("HashMap", "its order is drawn at random; take a BTreeMap"),
    ("HashSet", "its order is drawn at random; take a BTreeSet"),
    ("std::net", "sockets; addresses alone are in core::net"),
    ("std::fs", "files are for others"),
    ("std::env", "the environment is for others"),
    ("std::thread", "no threads"),
    ("std::process", "no processes"),
    ("tokio", "no runtime"),
];

/// Packages in the closure of these members that bring what they must do without.
pub fn dependency_problems(metadata: &Metadata, members: &[&str]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in members {
        for used in metadata.normal_closure(member) {
            if BANNED.contains(&used) {
                problems.push(format!("{member} brings {used} into the program: a feature to switch off?"));
            }
        }
    }
    problems
}

/// Methods that a pure crate's `clippy.toml` should disallow and does not.
pub fn clippy_problems(member: &str, clippy_toml: &str) -> Vec<Problem> {
    let disallowed = clippy_toml
        .split_once("disallowed-methods")
        .and_then(|(_, rest)| rest.split_once("\n]"))
        .map_or("", |(list, _)| list);
    DISALLOWED_METHODS
        .iter()
        .filter(|method| {
            let entry = format!("{{ path = \"{method}\",");
            !disallowed.lines().any(|line| line.trim_start().starts_with(&entry))
        })
        .map(|method| format!("{member}: clippy.toml does not disallow {method}"))
        .collect()
}

/// Words in a pure crate's source that should not be there. Comments and what follows `#[cfg(test)] mod … {` are
/// passed over.
pub fn source_problems(file: &str, source: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut lines = source.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let tests_follow = lines.peek().is_some_and(|(_, next)| is_test_module(next));
        if line.trim() == "#[cfg(test)]" && tests_follow {
            break;
        }
        let code = line.split("//").next().unwrap_or_default();
        for (word, reason) in BANNED_WORDS {
            if code.contains(word) {
                problems.push(format!("{file}:{}: `{word}` in a pure crate: {reason}", number + 1));
            }
        }
    }
    problems
}

/// `mod tests {` or the like: by house rule the last thing in a file. Not `mod tests;`, after which code goes on.
fn is_test_module(line: &str) -> bool {
    let line = line.trim();
    line.ends_with('{') && line.split_whitespace().any(|word| word == "mod")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::made_up;

    #[test]
    fn a_runtime_deep_in_the_tree_is_found() {
        let metadata = made_up(&[
            ("carillon-policy", &[("carillon-wire", "normal"), ("proptest", "dev")]),
            ("carillon-wire", &[("backoff", "normal")]),
            ("backoff", &[("rand", "normal")]),
            ("rand", &[("getrandom", "normal")]),
            ("proptest", &[("tokio", "normal")]),
        ]);
        assert_eq!(
            dependency_problems(&metadata, &["carillon-policy"]),
            [
                "carillon-policy brings getrandom into the program: a feature to switch off?",
                "carillon-policy brings rand into the program: a feature to switch off?",
            ]
        );
    }

    #[test]
    fn a_pure_tree_has_no_problem_and_a_crate_that_is_not_there_neither() {
        let metadata = made_up(&[("carillon-wire", &[("serde", "normal"), ("rand", "dev")])]);
        assert_eq!(dependency_problems(&metadata, PURE), [""; 0]);
    }

    #[test]
    fn a_method_missing_from_clippy_toml_is_named() {
        let entries: String = DISALLOWED_METHODS
            .iter()
            .filter(|method| !method.contains("Instant::now"))
            .map(|method| format!("    {{ path = \"{method}\", reason = \"pure\" }},\n"))
            .collect();
        let text = format!("# std::time::Instant::now\ndisallowed-methods = [\n{entries}]\n");
        assert_eq!(
            clippy_problems("carillon-wire", &text),
            ["carillon-wire: clippy.toml does not disallow std::time::Instant::now"]
        );
        assert_eq!(clippy_problems("carillon-wire", "").len(), DISALLOWED_METHODS.len());
    }

    #[test]
    fn an_entry_that_is_commented_out_does_not_count() {
        let text = "disallowed-methods = [\n    # { path = \"std::env::var\", reason = \"\" },\n]\n";
        assert_eq!(clippy_problems("carillon-wire", text).len(), DISALLOWED_METHODS.len());
    }

    #[test]
    fn a_clock_in_the_source_is_found_with_its_line() {
        let source = "//! Not `Instant::now`.\n\nfn late() {\n    let now = std::time::Instant::now();\n}\n";
        assert_eq!(
            source_problems("src/lib.rs", source),
            ["src/lib.rs:4: `Instant::now` in a pure crate: take `now` as an argument"]
        );
    }

    #[test]
    fn every_banned_word_is_found() {
        for (word, _) in BANNED_WORDS {
            assert_eq!(source_problems("x.rs", &format!("let x = {word};\n")).len(), 1, "{word}");
        }
    }

    #[test]
    fn comments_and_the_tests_at_the_end_of_a_file_may_say_what_they_like() {
        let source = "fn a() {} // no tokio\n\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(source_problems("x.rs", source), [""; 0]);
    }

    #[test]
    fn code_after_a_test_module_in_another_file_is_looked_at() {
        let source = "#[cfg(test)]\nmod tests;\n\nuse std::fs;\n";
        assert_eq!(source_problems("x.rs", source).len(), 1);
        let source = "#[cfg(test)]\nuse std::collections::BTreeMap;\nuse std::fs;\n";
        assert_eq!(source_problems("x.rs", source).len(), 1);
    }
}
