//! The stated `rust-version` is the highest one that anything we link declares: lower would be a promise that the first
//! build breaks, higher would shut out people for nothing.

use cargo_metadata::semver::Version;

use super::{
    repo::{assert_clean, assert_one},
    workspace::{Linked, Member, Workspace},
};

/// The package that forces the highest version.
fn highest(linked: &[Linked]) -> Option<&Linked> {
    linked
        .iter()
        .filter(|package| package.rust_version.is_some())
        .max_by_key(|package| package.rust_version.clone())
}

/// Members that state another version than the highest.
fn untrue(members: &[Member], linked: &[Linked]) -> Vec<String> {
    let Some((forced, package)) = highest(linked).and_then(|p| Some((p.rust_version.clone()?, p))) else {
        return vec!["nothing that is linked declares a rust-version".to_owned()];
    };
    let differs = members.iter().filter(|member| member.rust_version.as_ref() != Some(&forced));
    let said =
        |version: &Option<Version>| version.as_ref().map_or_else(|| "none".to_owned(), Version::to_string);
    differs
        .map(|member| {
            let by = format!("{} {} forces {forced}", package.name, package.version);
            format!("{} states rust-version {}, but {by}", member.name, said(&member.rust_version))
        })
        .collect()
}

#[test]
fn the_stated_rust_version_is_the_one_the_dependencies_force() {
    let workspace = Workspace::here();
    if let Some(package) = highest(&workspace.linked) {
        println!("{} {} forces {}", package.name, package.version, package.rust_version.as_ref().unwrap());
    }
    assert_clean(&untrue(&workspace.members, &workspace.linked));
}

#[test]
fn a_version_too_low_too_high_or_unstated_is_found() {
    let linked = [package("old", Some("1.60.0")), package("new", Some("1.89.0")), package("silent", None)];
    let check = |version: Option<&str>| {
        let members = [Member {
            name: "ours".to_owned(),
            folder: String::new(),
            license: None,
            rust_version: version.map(|v| v.parse().unwrap()),
            programs: Vec::new(),
            needs: Vec::new(),
        }];
        untrue(&members, &linked)
    };
    assert_clean(&check(Some("1.89.0")));
    assert_one(&check(Some("1.88.0")), &["ours states rust-version 1.88.0", "new 1.0.0 forces 1.89.0"]);
    assert_one(&check(Some("1.90.0")), &["1.90.0"]);
    assert_one(&check(None), &["none"]);
    assert_one(&untrue(&[], &[]), &["nothing"]);
}

fn package(name: &str, rust_version: Option<&str>) -> Linked {
    Linked {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        rust_version: rust_version.map(|version| version.parse().unwrap()),
    }
}
