//! A program that is many processes, as browsers are: what they take together. Linux alone.

use std::collections::HashMap;

use anyhow::{Context as _, Result};

use crate::load::{memory, processor};

/// A process and all that descend from it, as they are now.
///
/// # Errors
/// On another system.
pub fn family(process: u32) -> Result<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").context("processes can be counted on Linux alone")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may have ended meanwhile.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        children.entry(parent(&stat).unwrap_or(0)).or_default().push(pid);
    }
    let (mut all, mut at) = (vec![process], 0);
    while let Some(pid) = all.get(at) {
        all.extend(children.remove(pid).unwrap_or_default());
        at += 1;
    }
    Ok(all)
}

/// The fourth field of `/proc/PID/stat`. The second is the name, in brackets, and may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Processor time of a family so far, in seconds. What has ended meanwhile is not in it.
///
/// # Errors
/// On another system.
pub fn processor_of(process: u32) -> Result<f64> {
    Ok(family(process)?.into_iter().filter_map(|pid| processor(pid).ok()).sum())
}

/// Memory of a family (PSS), in bytes.
///
/// # Errors
/// On another system.
pub fn memory_of(process: u32) -> Result<f64> {
    Ok(family(process)?.into_iter().filter_map(|pid| memory(pid).ok()).sum())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_whatever_the_name() {
        assert_eq!(parent("12 (a) R 99 b) S 7 12 12 0"), Some(7));
        assert_eq!(parent("12 (a"), None);
    }

    #[test]
    fn a_grandchild_is_of_the_family() {
        let mut shell = std::process::Command::new("sh")
            // The shell stays, because there is something to do after.
            .args(["-c", "sh -c 'cat; true' ; true"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let full = (0..1_000_000).any(|_| family(shell.id()).unwrap().len() == 3);
        // Its end of file.
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert!(full);
    }
}
