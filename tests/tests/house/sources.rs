//! What every source file keeps: a header, a bounded length, nothing unfinished, no test switched off in silence.

use super::repo::{Repo, assert_clean, assert_one};

/// Longer than this, a file outside tests needs a reason below. The unit tests at its end do not count.
const LINES: usize = 500;

/// Files that are longer, and why one file is right for them.
const LONG: [(&str, &str); 0] = [];

/// This test's own folder: it spells what it looks for.
const OWN: &str = "tests/tests/house";

/// Rust files that somebody maintains.
fn sources(repo: &Repo) -> impl Iterator<Item = (&str, &str)> {
    repo.ending(".rs").filter(|(path, _)| {
        (path.starts_with("crates/") || path.starts_with("tests/")) && !path.starts_with(OWN)
    })
}

/// Files whose first line is not a `//!` header.
fn headless(repo: &Repo) -> Vec<String> {
    let bare = sources(repo).filter(|(_, text)| !text.starts_with("//!"));
    bare.map(|(path, _)| {
        format!(
            "{path} does not start with a //! header: what it owns, what was decided, what must stay true"
        )
    })
    .collect()
}

/// Files that are too long without a reason, and reasons for files that are not.
fn too_long(repo: &Repo, reasons: &[(&str, &str)]) -> Vec<String> {
    let long = |path: &str, text: &str| in_product(path) && product_lines(text) > LINES;
    let listed = |path: &str| reasons.iter().any(|(listed, _)| *listed == path);
    let unlisted = sources(repo).filter(|(path, text)| long(path, text) && !listed(path));
    let mut findings: Vec<_> = unlisted
        .map(|(path, text)| {
            format!("{path} has {} lines, more than {LINES}, and no listed reason", product_lines(text))
        })
        .collect();
    let stale = reasons.iter().filter(|(path, _)| !repo.text(path).is_some_and(|text| long(path, text)));
    findings.extend(stale.map(|(path, _)| format!("{path} is listed as long, but is not")));
    findings
}

/// Whether a path is product code rather than a test, a bench or an example.
fn in_product(path: &str) -> bool {
    path.starts_with("crates/") && path.contains("/src/")
}

/// Lines before the unit tests at the end of a file.
fn product_lines(text: &str) -> usize {
    text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count()
}

/// Macros that stand for work not done, and tests that are switched off without a word.
fn unfinished(repo: &Repo) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in sources(repo) {
        for (number, line) in text.lines().enumerate() {
            let at = format!("{path}:{}", number + 1);
            let line = line.trim();
            if line.starts_with("//") {
                // `cargo test -- --ignored` would run such an example and fail to compile it.
                if line.contains("```ignore") {
                    findings.push(format!("{at}: an example runs, or is text"));
                }
                continue;
            }
            let found = ["todo!", "unimplemented!", "dbg!"].into_iter().find(|name| calls(line, name));
            findings.extend(found.map(|name| format!("{at}: {name}")));
            if line.contains("#[ignore]") || (line.contains("cfg_attr") && line.contains("ignore)]")) {
                findings.push(format!("{at}: an ignored test says what it needs: #[ignore = \"...\"]"));
            }
        }
    }
    findings
}

/// Whether a line calls a macro of exactly this name.
fn calls(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_') && after.is_some_and(|c| "([{".contains(c))
    })
}

/// Licence notices inside source files: the fields and the two files at the root say it once.
fn notices(repo: &Repo) -> Vec<String> {
    let noticed = sources(repo).filter(|(_, text)| {
        let mut head = text.lines().take(20);
        head.any(|line| {
            line.starts_with("//") && (line.contains("Copyright") || line.contains("SPDX-License-Identifier"))
        })
    });
    let mut findings: Vec<_> =
        noticed.map(|(path, _)| format!("{path} carries a licence notice; LICENSE-* say it once")).collect();
    let missing = ["LICENSE-MIT", "LICENSE-APACHE"].into_iter().filter(|file| !repo.has(file));
    findings.extend(missing.map(|file| format!("{file} is missing")));
    findings
}

#[test]
fn every_file_has_a_header() {
    assert_clean(&headless(&Repo::here()));
}

#[test]
fn no_file_is_long_without_a_reason() {
    assert_clean(&too_long(&Repo::here(), &LONG));
}

#[test]
fn nothing_is_unfinished_or_switched_off_in_silence() {
    assert_clean(&unfinished(&Repo::here()));
}

#[test]
fn the_licence_is_said_once() {
    assert_clean(&notices(&Repo::here()));
}

#[test]
fn a_file_without_a_header_is_found() {
    assert_clean(&headless(&Repo::of(&[("crates/a/src/lib.rs", "//! A.\n"), ("notes/x.rs", "")])));
    assert_one(
        &headless(&Repo::of(&[("crates/a/src/lib.rs", "use x;\n")])),
        &["crates/a/src/lib.rs", "header"],
    );
}

#[test]
fn a_long_file_and_a_stale_reason_are_found() {
    let product = "x;\n".repeat(LINES + 1);
    let tested = format!("{}#[cfg(test)]\nmod tests {{}}\n{product}", "x;\n".repeat(LINES));
    let repo = Repo::of(&[
        ("crates/a/src/a.rs", product.as_str()),
        ("crates/a/tests/b.rs", product.as_str()),
        ("crates/a/src/c.rs", tested.as_str()),
    ]);
    assert_one(&too_long(&repo, &[]), &["crates/a/src/a.rs has 501 lines"]);
    assert_clean(&too_long(&repo, &[("crates/a/src/a.rs", "one table")]));
    assert_one(
        &too_long(&repo, &[("crates/a/src/a.rs", "one table"), ("crates/a/src/c.rs", "")]),
        &["c.rs is listed"],
    );
}

#[test]
fn unfinished_work_and_silent_switches_are_found() {
    let check = |code: &str| unfinished(&Repo::of(&[("crates/a/src/lib.rs", code)]));
    for code in [
        "todo!()",
        "    x => unimplemented!(\"later\"),",
        "let y = dbg!(x);",
        "#[ignore]",
        "#[cfg_attr(unix, ignore)]",
        "/// ```ignore",
    ] {
        assert_one(&check(code), &["crates/a/src/lib.rs:1"]);
    }
    for code in ["// todo!()", "#[ignore = \"needs root\"]", "my_todo!()", "let todo = 1;", "/// ```no_run"] {
        assert_clean(&check(code));
    }
}

#[test]
fn a_notice_in_a_source_and_a_missing_licence_file_are_found() {
    let check = |code: &str, file: &str| {
        notices(&Repo::of(&[("LICENSE-MIT", ""), (file, ""), ("crates/a/src/lib.rs", code)]))
    };
    assert_clean(&check("//! A.\n", "LICENSE-APACHE"));
    assert_one(&check("// Copyright somebody\n", "LICENSE-APACHE"), &["notice"]);
    assert_one(&check("//! A.\n", "LICENSE"), &["LICENSE-APACHE is missing"]);
}
