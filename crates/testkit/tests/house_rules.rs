//! The rules of the house, shown this repository.

#[cfg(test)]
mod house_rules {
    use std::fs;
    use std::path::{Path, PathBuf};

    use carillon_testkit::metadata::{Metadata, Package};
    use carillon_testkit::purity::{PURE, WITHOUT_SYSTEM};
    use carillon_testkit::{Problem, dependencies, files, manifests, purity};

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
    }

    fn metadata() -> Metadata {
        Metadata::of(&root()).unwrap()
    }

    fn none(problems: &[Problem]) {
        assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    }

    fn folder(package: &Package) -> &Path {
        package.manifest_path.parent().unwrap()
    }

    fn pure(metadata: &Metadata) -> Vec<&Package> {
        let pure: Vec<_> =
            metadata.members().filter(|package| PURE.contains(&package.name.as_str())).collect();
        assert!(pure.len() >= 3, "wire, call and policy are there");
        pure
    }

    /// A file as it is named from the root, with its text.
    fn read(file: &Path) -> (String, String) {
        let name = file.strip_prefix(root()).unwrap_or(file).to_string_lossy().replace('\\', "/");
        (name, fs::read_to_string(file).unwrap())
    }

    #[test]
    fn every_crate_uses_only_what_it_may() {
        none(&dependencies::problems(&metadata()));
    }

    #[test]
    fn pure_crates_and_the_cryptography_bring_no_clock_no_socket_no_runtime_and_no_randomness() {
        none(&purity::dependency_problems(&metadata(), WITHOUT_SYSTEM));
    }

    #[test]
    fn clippy_holds_every_pure_crate_to_the_same_list() {
        for package in pure(&metadata()) {
            let (_, text) = read(&folder(package).join("clippy.toml"));
            none(&purity::clippy_problems(&package.name, &text));
        }
    }

    #[test]
    fn no_source_of_a_pure_crate_asks_the_system() {
        for package in pure(&metadata()) {
            let sources = files::rust_files(&folder(package).join("src")).unwrap();
            assert!(!sources.is_empty());
            for source in
                sources.iter().filter(|source| !source.components().any(|part| part.as_os_str() == "tests"))
            {
                let (name, text) = read(source);
                none(&purity::source_problems(&name, &text));
            }
        }
    }

    #[test]
    fn every_package_has_the_licence_the_lints_and_is_not_published() {
        for package in metadata().members() {
            let (_, text) = read(&package.manifest_path);
            none(&manifests::problems(package, &text));
        }
    }

    #[test]
    fn no_rust_file_is_too_long() {
        let files = files::rust_files(&root()).unwrap();
        let problems: Vec<_> = files
            .iter()
            .flat_map(|file| {
                let (name, text) = read(file);
                files::problems(&name, &text)
            })
            .collect();
        none(&problems);
    }
}
