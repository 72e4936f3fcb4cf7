//! Raw power stays in the rooms that ARCHITECTURE.md names.
//!
//! Clippy refuses the calls everywhere (clippy.toml); a room lifts the ban with an attribute. This compares the attributes
//! with the table, both ways: no room without a row, no row without a room.

use super::{
    markdown::{block, code_spans, rows},
    repo::{Repo, assert_clean, assert_one},
};

const PAGE: &str = "ARCHITECTURE.md";

/// Lifting one of these makes a file a room.
const LIFTED: [&str; 3] = ["clippy::disallowed_methods", "clippy::disallowed_types", "unsafe_code"];

/// Product files that lift a ban outside their unit tests.
fn rooms(repo: &Repo) -> Vec<&str> {
    let product =
        repo.ending(".rs").filter(|(path, _)| path.starts_with("crates/") && path.contains("/src/"));
    product.filter(|(_, text)| lifts(text)).map(|(path, _)| path).collect()
}

fn lifts(text: &str) -> bool {
    let product = text.split("\n#[cfg(test)]").next().unwrap_or_default();
    let code: Vec<_> = product.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect();
    // `cfg_attr(test, ...)` lifts the ban in the unit tests' build only.
    let code =
        code.into_iter().filter(|line| !line.contains("cfg_attr(test,")).collect::<Vec<_>>().join("\n");
    let attributes = code.split("#[").skip(1).chain(code.split("#![").skip(1));
    attributes.into_iter().any(|attribute| {
        let end = attribute.find(")]").unwrap_or(attribute.len());
        let attribute = &attribute[..end];
        (attribute.starts_with("allow(") || attribute.starts_with("expect("))
            && LIFTED.iter().any(|ban| attribute.contains(ban))
    })
}

/// Rooms without a row, and rows without a room.
fn unlisted(repo: &Repo) -> Vec<String> {
    let table = block(repo.text(PAGE).unwrap_or_default(), "rooms");
    let listed: Vec<_> =
        rows(table).iter().flat_map(|cells| code_spans(cells.last().map_or("", String::as_str))).collect();
    let covers = |row: &str, file: &str| row == file || (row.ends_with('/') && file.starts_with(row));
    let rooms = rooms(repo);
    let missing = rooms.iter().filter(|room| !listed.iter().any(|row| covers(row, room)));
    let mut findings: Vec<_> =
        missing.map(|room| format!("{room} lifts a ban, but {PAGE} does not list it as a room")).collect();
    let stale = listed.iter().filter(|row| !rooms.iter().any(|room| covers(row, room)));
    findings.extend(stale.map(|row| format!("{PAGE} lists the room {row}, which lifts no ban")));
    findings
}

#[test]
fn the_rooms_are_the_listed_ones() {
    assert_clean(&unlisted(&Repo::here()));
}

#[test]
fn a_room_without_a_row_and_a_row_without_a_room_are_found() {
    let lifting = "//! A.\n#![allow(clippy::disallowed_methods, reason = \"x\")]\n";
    let table = |row: &str| {
        format!("<!-- rooms -->\n| power | room |\n|---|---|\n| locks | {row} |\n<!-- /rooms -->\n")
    };
    let check = |row: &str, code: &str| {
        unlisted(&Repo::of(&[(PAGE, table(row).as_str()), ("crates/a/src/sys/fs.rs", code)]))
    };
    assert_clean(&check("`crates/a/src/sys/fs.rs`", lifting));
    assert_clean(&check("`crates/a/src/sys/`", lifting));
    assert_one(
        &unlisted(&Repo::of(&[(PAGE, ""), ("crates/a/src/sys/fs.rs", lifting)])),
        &["fs.rs lifts a ban"],
    );
    assert_one(&check("`crates/a/src/sys/`", "//! A.\n"), &["which lifts no ban"]);
}

#[test]
fn every_form_of_lifting_is_seen_and_tests_are_not_rooms() {
    for code in [
        "    #[allow(unsafe_code, reason = \"x\")]",
        "#[expect(\n    clippy::disallowed_methods,\n    reason = \"x\"\n)]",
        "#![expect(clippy::disallowed_types, reason = \"x\")]",
    ] {
        assert!(lifts(code), "{code}");
    }
    for code in [
        "#![cfg_attr(test, allow(clippy::disallowed_methods, reason = \"x\"))]",
        "// #[allow(unsafe_code)]",
        "#[allow(dead_code, reason = \"x\")]\nfn clippy_disallowed_methods() {}",
        "fn a() {}\n#[cfg(test)]\n#[allow(clippy::disallowed_methods, reason = \"x\")]\nmod tests {}",
    ] {
        assert!(!lifts(code), "{code}");
    }
}
