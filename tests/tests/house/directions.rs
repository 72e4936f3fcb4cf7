//! Which crate of ours may depend on which. ARCHITECTURE.md draws the same table.

use super::{
    repo::{assert_clean, assert_one},
    workspace::{Member, Need, TESTS, Workspace},
};

/// May depend on. The gateway and the tests may depend on everything; on those two nobody may.
///
/// `retry` names `taxonomy` although both stand at the bottom: the one retry driver logs the code of each failure it
/// retries, and the code is found by the taxonomy's marker. The way back stays closed.
const MAY: [(&str, &[&str]); 9] = [
    ("moorline-taxonomy", &[]),
    ("moorline-retry", &["moorline-taxonomy"]),
    ("moorline-lock-core", &["moorline-taxonomy", "moorline-retry"]),
    ("moorline-failover", &["moorline-taxonomy", "moorline-retry"]),
    ("moorline-announce", &["moorline-taxonomy", "moorline-retry"]),
    ("moorline-runner", &["moorline-taxonomy", "moorline-retry", "moorline-lock-core", "moorline-failover"]),
    ("moorline-qa-retry", &["moorline-taxonomy", "moorline-retry"]),
    ("moorline-gateway", LIBRARIES),
    (TESTS, EVERYTHING),
];

const LIBRARIES: &[&str] = &[
    "moorline-taxonomy",
    "moorline-retry",
    "moorline-lock-core",
    "moorline-failover",
    "moorline-announce",
    "moorline-runner",
    "moorline-qa-retry",
];

const EVERYTHING: &[&str] = &[
    "moorline-taxonomy",
    "moorline-retry",
    "moorline-lock-core",
    "moorline-failover",
    "moorline-announce",
    "moorline-runner",
    "moorline-qa-retry",
    "moorline-gateway",
];

/// Dependencies that point up or sideways, development ones included, and crates without a row.
fn wrong_ways(members: &[Member]) -> Vec<String> {
    let mut findings = Vec::new();
    for member in members {
        let Some((_, may)) = MAY.iter().find(|(name, _)| *name == member.name) else {
            findings.push(format!("{} has no row in the table of directions", member.name));
            continue;
        };
        for need in &member.needs {
            // A crate may name itself: that is how its tests turn on its own features.
            let ours = need.name.starts_with("moorline-") && need.name != member.name;
            if ours && !may.contains(&need.name.as_str()) {
                findings.push(format!("{} must not depend on {}", member.name, need.name));
            }
        }
    }
    let missing = MAY.iter().filter(|(name, _)| !members.iter().any(|member| member.name == *name));
    findings.extend(
        missing.map(|(name, _)| format!("{name} has a row in the table of directions, but is no member")),
    );
    findings
}

#[test]
fn dependencies_point_down() {
    assert_clean(&wrong_ways(&Workspace::here().members));
}

#[test]
fn up_sideways_and_unknown_are_found() {
    assert_clean(&wrong_ways(&all_with("moorline-retry", "moorline-taxonomy")));
    assert_clean(&wrong_ways(&all_with("moorline-retry", "moorline-retry")));
    assert_one(
        &wrong_ways(&all_with("moorline-taxonomy", "moorline-retry")),
        &["moorline-taxonomy must not depend on"],
    );
    assert_one(&wrong_ways(&all_with("moorline-lock-core", "moorline-failover")), &["moorline-failover"]);
    assert_one(&wrong_ways(&all_with("moorline-qa-retry", "moorline-gateway")), &["moorline-gateway"]);
    assert_one(&wrong_ways(&all_with("moorline-gateway", TESTS)), &[TESTS]);
    let mut members = all_with("moorline-tests", "moorline-gateway");
    members.push(member("moorline-extra", &[]));
    assert_one(&wrong_ways(&members), &["moorline-extra has no row"]);
    members.retain(|member| !["moorline-extra", "moorline-runner"].contains(&member.name.as_str()));
    assert_one(&wrong_ways(&members), &["moorline-runner", "no member"]);
}

fn all_with(from: &str, to: &str) -> Vec<Member> {
    MAY.iter()
        .map(|(name, _)| member(name, if *name == from { std::slice::from_ref(&to) } else { &[] }))
        .collect()
}

fn member(name: &str, needs: &[&str]) -> Member {
    Member {
        name: name.to_owned(),
        folder: String::new(),
        license: None,
        rust_version: None,
        programs: Vec::new(),
        needs: needs.iter().map(|name| Need { name: (*name).to_owned(), dev: true }).collect(),
    }
}
