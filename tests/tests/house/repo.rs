//! The files of the checkout as values: path relative to its root, and text.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Folders that hold no text of ours.
const SKIPPED: [&str; 3] = [".git", "target", "node_modules"];

/// A tree of files. Paths use `/` and are relative to the root; the text of a file that is not UTF-8 is empty.
pub(crate) struct Repo {
    files: BTreeMap<String, String>,
}

impl Repo {
    /// This checkout.
    pub(crate) fn here() -> Self {
        let mut files = BTreeMap::new();
        read_folder(&Self::root(), "", &mut files);
        Self { files }
    }

    /// Its root. Asked at run time first: two checkouts that share a target directory share this binary.
    pub(crate) fn root() -> PathBuf {
        let folder =
            std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        Path::new(&folder).parent().unwrap().to_owned()
    }

    /// A made-up tree.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether a file or a folder is there.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// The files whose name ends so, with their texts.
    pub(crate) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.ends_with(end))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

fn read_folder(folder: &Path, below: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            if !SKIPPED.contains(&name.as_str()) && !name.starts_with("target-") {
                read_folder(&entry.path(), &path, files);
            }
        } else if kind.is_file() {
            files.insert(path, fs::read_to_string(entry.path()).unwrap_or_default());
        }
    }
}

/// Fails with one finding a line.
#[track_caller]
pub(crate) fn assert_clean(findings: &[String]) {
    assert!(findings.is_empty(), "\n  {}\n", findings.join("\n  "));
}

/// Fails unless there is exactly one finding and it says all of `words`.
#[track_caller]
pub(crate) fn assert_one(findings: &[String], words: &[&str]) {
    assert_eq!(findings.len(), 1, "expected one finding, got {findings:#?}");
    for word in words {
        assert!(findings[0].contains(word), "{:?} does not say {word:?}", findings[0]);
    }
}

#[test]
fn folders_count_as_present_and_absent_ones_do_not() {
    let repo = Repo::of(&[("docs/a.md", "")]);
    assert!(repo.has("docs") && repo.has("docs/") && repo.has("docs/a.md") && repo.has(""));
    assert!(!repo.has("doc") && !repo.has("docs/a"));
}
