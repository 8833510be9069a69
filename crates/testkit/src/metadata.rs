//! The part of `cargo metadata` that the rules need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// The workspace and everything it depends on, with every feature and for every system.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    /// Every package in the tree.
    pub packages: Vec<Package>,
    /// Ids of the members of the workspace.
    pub workspace_members: Vec<String>,
    /// Who really uses whom.
    pub resolve: Resolve,
}

/// One package.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// Unique.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its licence as an SPDX expression.
    #[serde(default)]
    pub license: Option<String>,
    /// Registries it may be published to; all if absent.
    #[serde(default)]
    pub publish: Option<Vec<String>>,
    /// Its `Cargo.toml`.
    #[serde(default)]
    pub manifest_path: PathBuf,
    /// What its `Cargo.toml` asks for.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
}

/// What a `Cargo.toml` asks for.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    /// The package.
    pub name: String,
    /// What for.
    #[serde(default)]
    pub kind: Kind,
}

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "Option<String>")]
pub enum Kind {
    /// The program itself.
    #[default]
    Normal,
    /// Its tests.
    Dev,
    /// Its build script.
    Build,
}

impl From<Option<String>> for Kind {
    fn from(text: Option<String>) -> Self {
        match text.as_deref() {
            Some("dev") => Self::Dev,
            Some("build") => Self::Build,
            _ => Self::Normal,
        }
    }
}

/// Who really uses whom.
#[derive(Debug, Clone, Deserialize)]
pub struct Resolve {
    /// One for each package.
    pub nodes: Vec<Node>,
}

/// What one package uses.
#[derive(Debug, Clone, Deserialize)]
pub struct Node {
    /// The package.
    pub id: String,
    /// What it uses.
    pub deps: Vec<Edge>,
}

/// A use of one package by another.
#[derive(Debug, Clone, Deserialize)]
pub struct Edge {
    /// The package used.
    pub pkg: String,
    /// What for.
    pub dep_kinds: Vec<EdgeKind>,
}

/// What a package is used for, perhaps on one system only.
#[derive(Debug, Clone, Deserialize)]
pub struct EdgeKind {
    /// What for.
    #[serde(default)]
    pub kind: Kind,
}

/// Why `cargo metadata` could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Cargo can't be started.
    #[error("cargo can't be started: {0}")]
    Start(#[from] std::io::Error),
    /// Cargo failed.
    #[error("cargo metadata failed: {0}")]
    Failed(String),
    /// What it printed is not what was expected.
    #[error("cargo metadata can't be read: {0}")]
    Read(#[from] serde_json::Error),
}

impl Metadata {
    /// Asks cargo about the workspace in a folder.
    ///
    /// # Errors
    /// [`MetadataError`], when cargo can't be asked.
    pub fn of(root: &Path) -> Result<Self, MetadataError> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--all-features", "--locked"])
            .current_dir(root)
            .output()?;
        if !output.status.success() {
            return Err(MetadataError::Failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The members of the workspace.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// Names of everything that a member brings into a program, itself included. What its tests and build scripts
    /// use is left out.
    pub fn normal_closure(&self, member: &str) -> BTreeSet<&str> {
        let names: BTreeMap<_, _> =
            self.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
        let nodes: BTreeMap<_, _> = self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut open: Vec<&str> = self
            .members()
            .filter(|package| package.name == member)
            .map(|package| package.id.as_str())
            .collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let edges = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
            let normal =
                edges.iter().filter(|edge| edge.dep_kinds.iter().any(|one| one.kind == Kind::Normal));
            open.extend(normal.map(|edge| edge.pkg.as_str()));
        }
        seen.into_iter().filter_map(|id| names.get(id).copied()).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A workspace made up of `(package, its dependencies with their kinds)`. Names that start with `carillon-` or
    /// are `xtask` are members; the others are from a registry.
    pub(crate) fn made_up(packages: &[(&str, &[(&str, &str)])]) -> Metadata {
        let mut names: BTreeSet<&str> = packages.iter().map(|(name, _)| *name).collect();
        names.extend(packages.iter().flat_map(|(_, uses)| uses.iter().map(|(name, _)| *name)));
        let uses = |name: &str| {
            packages.iter().find(|(package, _)| *package == name).map(|(_, uses)| *uses).unwrap_or_default()
        };
        let kind = |kind: &str| (kind != "normal").then(|| kind.to_owned());
        let json = serde_json::json!({
            "packages": names.iter().map(|name| serde_json::json!({
                "id": name,
                "name": name,
                "dependencies": uses(name).iter().map(|(name, of)| serde_json::json!({
                    "name": name, "kind": kind(of),
                })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "workspace_members": names
                .iter()
                .filter(|name| name.starts_with("carillon-") || **name == "xtask")
                .collect::<Vec<_>>(),
            "resolve": {"nodes": names.iter().map(|name| serde_json::json!({
                "id": name,
                "deps": uses(name).iter().map(|(name, of)| serde_json::json!({
                    "pkg": name, "dep_kinds": [{"kind": kind(of), "target": null}],
                })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>()},
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_closure_follows_normal_dependencies_through_every_package() {
        let metadata = made_up(&[
            ("carillon-wire", &[("serde", "normal"), ("proptest", "dev"), ("cc", "build")]),
            ("serde", &[("serde_core", "normal")]),
            ("proptest", &[("rand", "normal")]),
        ]);
        let closure: Vec<_> = metadata.normal_closure("carillon-wire").into_iter().collect();
        assert_eq!(closure, ["carillon-wire", "serde", "serde_core"]);
    }

    #[test]
    fn a_circle_through_dev_dependencies_ends() {
        let metadata = made_up(&[
            ("carillon-wire", &[("carillon-call", "normal")]),
            ("carillon-call", &[("carillon-wire", "normal")]),
        ]);
        assert_eq!(metadata.normal_closure("carillon-call").len(), 2);
    }
}
