//! What every source file has in common.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Problem;

/// Most lines of a Rust file: what one can still hold in mind.
pub const MAX_LINES: usize = 600;

/// Folders without sources of ours.
const PASSED_OVER: &[&str] = &["target", "node_modules", "third_party"];

/// The Rust files below a folder, in order. What cargo and git keep to themselves is passed over.
///
/// # Errors
/// When a folder can't be read.
pub fn rust_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if entry.file_type()?.is_dir() {
                if !name.starts_with('.') && !PASSED_OVER.contains(&name.as_ref()) {
                    open.push(path);
                }
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file is longer than it may be.
pub fn problems(file: &str, source: &str) -> Vec<Problem> {
    let lines = source.lines().count();
    if lines <= MAX_LINES {
        return Vec::new();
    }
    vec![format!("{file} has {lines} lines, more than {MAX_LINES}: it does more than one thing")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_600_lines_will_do_and_one_line_more_will_not() {
        assert_eq!(problems("x.rs", &"line\n".repeat(MAX_LINES)), [""; 0]);
        assert_eq!(problems("x.rs", &"line\n".repeat(MAX_LINES + 1)).len(), 1);
    }

    #[test]
    fn the_files_of_this_crate_are_found() {
        let files = rust_files(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(files.iter().any(|file| file.ends_with("src/files.rs")));
        assert!(files.iter().any(|file| file.ends_with("tests/house_rules.rs")));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(rust_files(Path::new("no-such-folder")).is_err());
    }
}
