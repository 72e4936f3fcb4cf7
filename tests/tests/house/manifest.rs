//! Cargo.toml files as values: which dependencies a manifest states, where, and how.

use toml::{Table, Value};

use super::repo::Repo;

/// The tables in which a manifest states dependencies.
const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// One stated dependency.
pub(crate) struct Stated {
    /// The manifest's folder, empty for the root.
    pub(crate) folder: String,
    /// The key, which is the crate's name or what it is renamed to.
    pub(crate) name: String,
    /// Says `workspace = true`.
    pub(crate) inherited: bool,
    /// Its keys besides `workspace`, `features` and `optional`.
    pub(crate) extra: Vec<String>,
}

/// What every member manifest states, the root's own table left out.
pub(crate) fn stated(repo: &Repo) -> Vec<Stated> {
    let mut all = Vec::new();
    for (path, text) in repo.ending("Cargo.toml") {
        let manifest = parse(path, text);
        let folder = path.trim_end_matches("Cargo.toml").trim_end_matches('/');
        collect(folder, &manifest, &mut all);
        for target in manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values) {
            collect(folder, target.as_table().unwrap(), &mut all);
        }
    }
    all
}

/// The names in `[workspace.dependencies]`.
pub(crate) fn shared(repo: &Repo) -> Vec<String> {
    let root = parse("Cargo.toml", repo.text("Cargo.toml").unwrap_or_default());
    let table =
        root.get("workspace").and_then(|workspace| workspace.get("dependencies")).and_then(Value::as_table);
    table.into_iter().flat_map(Table::keys).cloned().collect()
}

/// A manifest's text as a table.
pub(crate) fn parse(path: &str, text: &str) -> Table {
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn collect(folder: &str, tables: &Table, all: &mut Vec<Stated>) {
    for (name, value) in TABLES.iter().filter_map(|table| tables.get(*table)?.as_table()).flatten() {
        let keys = value.as_table();
        let inherited = keys.and_then(|keys| keys.get("workspace")) == Some(&Value::Boolean(true));
        let extra = match keys {
            Some(keys) => keys
                .keys()
                .filter(|key| !["workspace", "features", "optional"].contains(&key.as_str()))
                .cloned()
                .collect(),
            None => vec!["version".to_owned()],
        };
        all.push(Stated { folder: folder.to_owned(), name: name.clone(), inherited, extra });
    }
}

#[test]
fn every_way_to_state_a_dependency_is_seen() {
    let repo = Repo::of(&[
        ("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\nlibc = { version = \"0.2\" }\n"),
        (
            "crates/a/Cargo.toml",
            "[dependencies]\nserde.workspace = true\nx = \"1\"\n[dev-dependencies]\ny = { workspace = true, version = \"2\" }\n\
             [target.'cfg(unix)'.dependencies]\nlibc = { workspace = true, features = [\"std\"], optional = true }\n",
        ),
    ]);
    assert_eq!(shared(&repo), ["serde", "libc"].map(str::to_owned).into_iter().rev().collect::<Vec<_>>());
    let seen: Vec<_> =
        stated(&repo).into_iter().map(|s| (s.folder, s.name, s.inherited, s.extra.join(" "))).collect();
    let row = |name: &str, inherited, extra: &str| {
        ("crates/a".to_owned(), name.to_owned(), inherited, extra.to_owned())
    };
    assert_eq!(
        seen,
        [
            row("serde", true, ""),
            row("x", false, "version"),
            row("y", true, "version"),
            row("libc", true, "")
        ]
    );
}
