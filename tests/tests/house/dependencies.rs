//! What each package states about itself and about what it needs.

use super::{
    manifest,
    markdown::code_spans,
    repo::{Repo, assert_clean, assert_one},
    workspace::{Member, Need, TESTS, Workspace},
};

/// Why each dependency is there.
const PAGE: &str = "docs/decisions/dependencies.md";

/// The one licence field of every package.
const LICENSE: &str = "MIT OR Apache-2.0";

/// The crates the project was asked to build on. Each is a dependency of at least one member, and that member's code
/// names it.
const NAMED: [&str; 8] =
    ["tokio", "tracing", "thiserror", "serde", "async-trait", "fs4", "backoff", "mockall"];

/// A crate of somebody else that one package alone may need, and why. `true`: in its tests and benches others may, too.
const ONE_USER: [(&str, &str, bool, &str); 2] = [
    ("anyhow", "moorline-gateway", true, "a library's errors are typed"),
    ("backoff", "moorline-retry", false, "unmaintained, so it stays behind one file"),
];

/// Names, licences and programs that are not as they must be.
fn misnamed(members: &[Member]) -> Vec<String> {
    let mut findings = Vec::new();
    for Member { name, folder, license, .. } in members {
        let expected =
            if name == TESTS { "tests".to_owned() } else { name.replacen("moorline-", "crates/", 1) };
        if !name.starts_with("moorline-") || *folder != expected {
            findings
                .push(format!("package {name} in {folder}: the name is moorline- and the folder's own name"));
        }
        if license.as_deref() != Some(LICENSE) {
            findings.push(format!("package {name} states licence {license:?}, not {LICENSE}"));
        }
    }
    // The tests package has workers of its own: processes that tests start and kill.
    let shipped = members.iter().filter(|member| member.name != "moorline-tests");
    let programs: Vec<_> =
        shipped.flat_map(|member| member.programs.iter().map(|p| (&member.name, p))).collect();
    match programs.as_slice() {
        [(owner, program)] if *owner == "moorline-gateway" && *program == "moorline" => {}
        other => findings.push(format!("the one program is moorline, of moorline-gateway; found {other:?}")),
    }
    findings
}

/// Crates with one allowed user that have another.
fn shared_out(members: &[Member]) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, user, dev_is_free, why) in ONE_USER {
        for member in members.iter().filter(|member| member.name != user) {
            for need in member.needs.iter().filter(|need| need.name == name && !(dev_is_free && need.dev)) {
                findings
                    .push(format!("{} depends on {}, which only {user} may: {why}", member.name, need.name));
            }
        }
    }
    findings
}

/// Dependencies whose version is stated in a member, stated nowhere, or stated for nobody.
fn stated_wrongly(repo: &Repo) -> Vec<String> {
    let (stated, shared) = (manifest::stated(repo), manifest::shared(repo));
    let mut findings = Vec::new();
    for manifest::Stated { folder, name, inherited, extra } in &stated {
        // A crate that turns on its own test kit names itself by path, which states no version.
        if extra == &["path"] && *name == folder.replacen("crates/", "moorline-", 1) {
            continue;
        }
        if !inherited || !extra.is_empty() {
            let found = if extra.is_empty() { "nothing".to_owned() } else { extra.join(", ") };
            findings.push(format!("{folder}/Cargo.toml states {found} for {name}; write workspace = true"));
        } else if !shared.contains(name) {
            findings.push(format!("{folder}/Cargo.toml inherits {name}, which the root does not state"));
        }
    }
    for name in shared.iter().filter(|name| !stated.iter().any(|one| one.name == **name)) {
        findings.push(format!("the root states {name}, which no member uses"));
    }
    findings
}

/// Crates of [`NAMED`] that no member both needs and uses.
fn not_real(repo: &Repo) -> Vec<String> {
    let stated = manifest::stated(repo);
    let mut findings = Vec::new();
    for name in NAMED {
        let word = name.replace('-', "_");
        let uses = |folder: &str| {
            let below = format!("{folder}/");
            repo.ending(".rs").any(|(path, text)| path.starts_with(&below) && names_crate(text, &word))
        };
        if !stated.iter().any(|one| one.name == name && one.folder != "tests" && uses(&one.folder)) {
            findings.push(format!("{name} was asked for by name, but no crate both states and uses it"));
        }
    }
    findings
}

/// Shared dependencies without a word on the page that says why each is there, and words for crates that are gone.
fn unexplained(repo: &Repo) -> Vec<String> {
    let page = repo.text(PAGE).unwrap_or_default();
    let decision = page.split("## Option not taken").next().unwrap_or_default();
    let table: Vec<_> = decision.lines().filter(|line| line.starts_with('|')).collect();
    let named: Vec<_> = table.iter().flat_map(|line| code_spans(line)).collect();
    let shared: Vec<_> =
        manifest::shared(repo).into_iter().filter(|name| !name.starts_with("moorline-")).collect();
    let silent = shared.iter().filter(|name| !named.contains(name));
    let mut findings: Vec<_> =
        silent.map(|name| format!("{PAGE} does not say why {name} is a dependency")).collect();
    let first_cells = table.iter().filter_map(|line| line.split('|').find(|cell| cell.contains('`')));
    let listed: Vec<_> = first_cells.flat_map(code_spans).collect();
    let gone = listed.iter().filter(|name| !shared.contains(name));
    findings.extend(gone.map(|name| format!("{PAGE} explains {name}, which the root does not state")));
    findings
}

/// Whether code (not a comment) names the crate in a path or an import.
fn names_crate(text: &str, word: &str) -> bool {
    let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    code.into_iter().any(|line| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = &line[at + word.len()..];
            let starts = !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '"');
            starts
                && (after.starts_with("::")
                    || (line.starts_with("use ") && after.starts_with([';', ' ', ','])))
        })
    })
}

#[test]
fn packages_are_named_and_licensed_alike() {
    assert_clean(&misnamed(&Workspace::here().members));
}

#[test]
fn anyhow_and_backoff_have_one_user() {
    assert_clean(&shared_out(&Workspace::here().members));
}

#[test]
fn versions_are_stated_once_and_for_somebody() {
    assert_clean(&stated_wrongly(&Repo::here()));
}

#[test]
fn the_crates_asked_for_are_real_dependencies() {
    assert_clean(&not_real(&Repo::here()));
}

#[test]
fn every_dependency_is_explained() {
    assert_clean(&unexplained(&Repo::here()));
}

#[test]
fn a_wrong_name_licence_or_program_is_found() {
    let gateway = || member("moorline-gateway", "crates/gateway", &["moorline"]);
    assert_clean(&misnamed(&[gateway(), member(TESTS, "tests", &[])]));
    assert_one(&misnamed(&[gateway(), member("lock", "crates/lock", &[])]), &["package lock"]);
    assert_one(
        &misnamed(&[gateway(), member("moorline-lock", "crates/lock-core", &[])]),
        &["crates/lock-core"],
    );
    assert_one(
        &misnamed(&[gateway(), Member { license: None, ..member("moorline-x", "crates/x", &[]) }]),
        &["licence"],
    );
    assert_one(&misnamed(&[gateway(), member("moorline-x", "crates/x", &["second"])]), &["second"]);
    assert_one(&misnamed(&[member(TESTS, "tests", &[])]), &["found []"]);
}

#[test]
fn a_second_user_is_found() {
    let with = |name: &str, need: &str, dev| {
        let needs = vec![Need { name: need.to_owned(), dev }];
        shared_out(&[Member { needs, ..member(name, "", &[]) }])
    };
    assert_clean(&with("moorline-gateway", "anyhow", false));
    assert_clean(&with("moorline-runner", "anyhow", true));
    assert_one(&with("moorline-runner", "anyhow", false), &["moorline-runner", "anyhow"]);
    assert_clean(&with("moorline-retry", "backoff", false));
    assert_one(&with("moorline-failover", "backoff", true), &["moorline-failover", "backoff"]);
}

#[test]
fn a_version_in_a_member_and_a_version_for_nobody_are_found() {
    let with = |shared: &str, member: &str| {
        let root = format!("[workspace.dependencies]\n{shared}");
        let member = format!("[dependencies]\n{member}");
        stated_wrongly(&Repo::of(&[("Cargo.toml", root.as_str()), ("crates/a/Cargo.toml", member.as_str())]))
    };
    assert_clean(&with("serde = \"1\"", "serde = { workspace = true, features = [\"rc\"] }"));
    assert_one(&with("", "serde = \"1\""), &["crates/a/Cargo.toml states version for serde"]);
    assert_one(&with("", "serde = { path = \"../serde\" }"), &["states path"]);
    assert_clean(&with("", "moorline-a = { path = \".\", features = [\"testkit\"] }"));
    assert_one(&with("", "moorline-b = { path = \"../b\" }"), &["states path"]);
    assert_one(&with("", "serde.workspace = true"), &["inherits serde"]);
    assert_one(&with("serde = \"1\"", ""), &["states serde, which no member uses"]);
}

#[test]
fn a_named_crate_that_is_stated_but_not_used_is_found() {
    let stated = NAMED.map(|name| format!("{name}.workspace = true\n")).concat();
    let manifest = format!("[dependencies]\n{stated}");
    let used = NAMED.map(|name| format!("use {}::x;\n", name.replace('-', "_"))).concat();
    let with = |code: &str| {
        not_real(&Repo::of(&[("crates/a/Cargo.toml", manifest.as_str()), ("crates/a/src/lib.rs", code)]))
    };
    assert_clean(&with(&used));
    assert_one(&with(&used.replace("use fs4::x;", "// fs4::x")), &["fs4 was asked for"]);
    assert_one(&with(&used.replace("use fs4::x;", "use not_fs4::x;")), &["fs4 was asked for"]);
    assert_clean(&with(&used.replace("use async_trait::x;", "#[async_trait::async_trait]")));
}

#[test]
fn an_unexplained_and_a_forgotten_dependency_are_found() {
    let root = "[workspace.dependencies]\nserde = \"1\"\nmoorline-a = { path = \"a\" }\n";
    let with = |page: &str| unexplained(&Repo::of(&[("Cargo.toml", root), (PAGE, page)]));
    assert_clean(&with("| need | crate | why |\n|---|---|---|\n| JSON | `serde` | as `links` says |\n"));
    assert_one(&with("`serde` in a sentence is no row\n"), &["does not say why serde"]);
    assert_one(&with("## Option not taken\n| `serde` |\n"), &["does not say why serde"]);
    assert_one(&with("| `serde` | x |\n| `old` | y |\n"), &["explains old"]);
}

fn member(name: &str, folder: &str, programs: &[&str]) -> Member {
    Member {
        name: name.to_owned(),
        folder: folder.to_owned(),
        license: Some(LICENSE.to_owned()),
        rust_version: None,
        programs: programs.iter().map(|program| (*program).to_owned()).collect(),
        needs: Vec::new(),
    }
}
