//! The pages say what is true and can be found: links resolve, every page is reachable from README.md, the code map is
//! whole, the two commands are there and are what .ci/run runs, and the one sentence about stale locks stands where an
//! operator looks.

use std::collections::BTreeSet;

use super::{
    markdown::{Link, anchors, links},
    repo::{Repo, assert_clean, assert_one},
    workspace::{Member, Workspace},
};

/// The commands a new user copies. The first runs the main job, the second proves it.
const COMMANDS: [&str; 2] = ["cargo run -- demo", "cargo test --workspace"];

/// What must never be read otherwise, marks of emphasis left out.
const FAIL_CLOSED: &str = "decide when a live lock is reported, never when it is removed";

/// Pages on which it stands.
const FAIL_CLOSED_PAGES: [&str; 2] = ["docs/operator-guide.md", "CHANGELOG.md"];

/// What every decision page answers.
const DECISION_PARTS: [&str; 3] = ["## Decision", "## Option not taken", "## Evidence"];

fn pages(repo: &Repo) -> impl Iterator<Item = (&str, &str)> {
    repo.ending(".md")
        .filter(|(path, _)| !path.contains('/') || path.starts_with("docs/") || path.ends_with("README.md"))
}

/// A relative link's file, and the anchor in it. `None` for links to elsewhere.
fn resolve(page: &str, target: &str) -> Option<(String, Option<String>)> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) =
        target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor.to_owned())));
    if file.is_empty() {
        return Some((page.to_owned(), anchor));
    }
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some((parts.join("/"), anchor))
}

/// Relative links to a file or heading that is not there.
fn broken(repo: &Repo) -> Vec<String> {
    let mut findings = Vec::new();
    for (page, text) in pages(repo) {
        for Link { line, target } in links(text) {
            let Some((file, anchor)) = resolve(page, &target) else { continue };
            if !repo.has(&file) {
                findings.push(format!("{page}:{line} links to {file}, which is not there"));
            } else if let Some(anchor) = anchor.filter(|_| file.ends_with(".md"))
                && !anchors(repo.text(&file).unwrap_or_default()).contains(&anchor)
            {
                findings.push(format!("{page}:{line} links to a heading {anchor} that {file} does not have"));
            }
        }
    }
    findings
}

/// Pages that no path of links from README.md leads to.
fn unreachable(repo: &Repo) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut next = vec!["README.md".to_owned()];
    while let Some(page) = next.pop() {
        let text = repo.text(&page).unwrap_or_default();
        if page.ends_with(".md") && seen.insert(page.clone()) {
            next.extend(
                links(text).into_iter().filter_map(|link| resolve(&page, &link.target)).map(|(file, _)| file),
            );
        }
    }
    let lost = pages(repo).filter(|(page, _)| !seen.contains(*page));
    lost.map(|(page, _)| format!("{page} cannot be reached by links from README.md")).collect()
}

/// Commands that README.md or .ci/run lacks.
fn commands_missing(repo: &Repo) -> Vec<String> {
    let lacks = |file: &str, command: &str| !repo.text(file).is_some_and(|text| text.contains(command));
    let both = COMMANDS.into_iter().flat_map(|command| [("README.md", command), (".ci/run", command)]);
    both.filter(|(file, command)| lacks(file, command))
        .map(|(file, command)| format!("{file} lacks: {command}"))
        .collect()
}

/// Members the code map does not name by their folder.
fn unmapped(repo: &Repo, members: &[Member]) -> Vec<String> {
    let map = repo.text("ARCHITECTURE.md").unwrap_or_default();
    let lost = members.iter().filter(|member| !map.contains(&format!("`{}/`", member.folder)));
    lost.map(|member| format!("ARCHITECTURE.md does not name `{}/`", member.folder)).collect()
}

/// Pages that lack a sentence or a heading they must have.
fn unsaid(repo: &Repo) -> Vec<String> {
    let mut findings = Vec::new();
    for page in FAIL_CLOSED_PAGES {
        let plain = repo.text(page).unwrap_or_default().replace(['*', '`'], "");
        let words: Vec<_> = plain.split_whitespace().collect();
        if !words.join(" ").contains(FAIL_CLOSED) {
            findings.push(format!("{page} does not say that the limits {FAIL_CLOSED}"));
        }
    }
    if !repo.text("CHANGELOG.md").is_some_and(|text| text.contains("## [Unreleased]")) {
        findings.push("CHANGELOG.md has no section [Unreleased]".to_owned());
    }
    for (page, text) in repo.ending(".md").filter(|(page, _)| page.starts_with("docs/decisions/")) {
        let missing = DECISION_PARTS.into_iter().filter(|part| !text.lines().any(|line| line == *part));
        findings.extend(missing.map(|part| format!("{page} has no {part:?}")));
    }
    findings
}

#[test]
fn links_resolve() {
    assert_clean(&broken(&Repo::here()));
}

#[test]
fn every_page_is_reachable() {
    assert_clean(&unreachable(&Repo::here()));
}

#[test]
fn the_two_commands_are_stated_and_run() {
    assert_clean(&commands_missing(&Repo::here()));
}

#[test]
fn the_code_map_is_whole() {
    assert_clean(&unmapped(&Repo::here(), &Workspace::here().members));
}

#[test]
fn the_pages_say_what_they_must() {
    assert_clean(&unsaid(&Repo::here()));
}

#[test]
fn a_broken_link_is_found() {
    let check = |link: &str| {
        let page = format!("# B c\n[x]({link})\n");
        broken(&Repo::of(&[
            ("docs/a.md", page.as_str()),
            ("docs/sub/b.md", "# One two\n"),
            ("README.md", ""),
        ]))
    };
    for link in ["sub/b.md", "../README.md", "sub/b.md#one-two", "#b-c", "sub/", "https://example.org/none"] {
        assert_clean(&check(link));
    }
    assert_one(&check("b.md"), &["docs/a.md:2 links to docs/b.md"]);
    assert_one(&check("sub/b.md#three"), &["heading three"]);
    assert_one(&check("#d"), &["heading d"]);
}

#[test]
fn a_page_nobody_links_is_found() {
    let with = |readme: &str| {
        unreachable(&Repo::of(&[("README.md", readme), ("A.md", "[b](docs/b.md)"), ("docs/b.md", "")]))
    };
    assert_clean(&with("[a](A.md)"));
    assert_eq!(with("no link").len(), 2);
}

#[test]
fn a_missing_command_is_found() {
    let all = COMMANDS.join("\n");
    let with =
        |readme: &str, ci: &str| commands_missing(&Repo::of(&[("README.md", readme), (".ci/run", ci)]));
    assert_clean(&with(&all, &all));
    assert_one(&with(COMMANDS[0], &all), &["README.md lacks", COMMANDS[1]]);
    assert_one(&with(&all, COMMANDS[1]), &[".ci/run lacks", COMMANDS[0]]);
}

#[test]
fn a_crate_that_is_not_on_the_map_is_found() {
    let member = |folder: &str| Member {
        name: String::new(),
        folder: folder.to_owned(),
        license: None,
        rust_version: None,
        programs: Vec::new(),
        needs: Vec::new(),
    };
    let repo = Repo::of(&[("ARCHITECTURE.md", "`crates/a/`: A.\n")]);
    assert_one(&unmapped(&repo, &[member("crates/a"), member("crates/b")]), &["crates/b"]);
}

#[test]
fn a_missing_sentence_or_heading_is_found() {
    let sentence = "They decide when a live lock is\n*reported*, never when it is removed.";
    let changes = format!("## [Unreleased]\n{sentence}\n");
    let parts = DECISION_PARTS.join("\n\n");
    let check = |guide: &str, changes: &str, page: &str| {
        unsaid(&Repo::of(&[
            ("docs/operator-guide.md", guide),
            ("CHANGELOG.md", changes),
            ("docs/decisions/x.md", page),
        ]))
    };
    assert_clean(&check(sentence, &changes, &parts));
    assert_one(&check("They decide when a lock is removed.", &changes, &parts), &["docs/operator-guide.md"]);
    assert_one(&check(sentence, sentence, &parts), &["Unreleased"]);
    assert_one(
        &check(sentence, &changes, "## Decision\n\n## Evidence\n"),
        &["docs/decisions/x.md", "Option not taken"],
    );
}
