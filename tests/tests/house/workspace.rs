//! What `cargo metadata` says about the members and about everything they link.

use std::collections::{BTreeSet, HashMap};

use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand, PackageId, TargetKind, semver::Version};

use super::repo::Repo;

/// The tests' own package, which nobody ships.
pub(crate) const TESTS: &str = "moorline-tests";

/// One package of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    /// Relative to the root.
    pub(crate) folder: String,
    pub(crate) license: Option<String>,
    pub(crate) rust_version: Option<Version>,
    /// Names of its programs.
    pub(crate) programs: Vec<String>,
    pub(crate) needs: Vec<Need>,
}

/// One dependency of a member, ours or not.
pub(crate) struct Need {
    pub(crate) name: String,
    /// Needed by tests, benches or examples only.
    pub(crate) dev: bool,
}

/// A package of somebody else that is needed to build what we ship.
pub(crate) struct Linked {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) rust_version: Option<Version>,
}

/// The workspace as cargo resolves it on this machine, all features on.
pub(crate) struct Workspace {
    pub(crate) members: Vec<Member>,
    pub(crate) linked: Vec<Linked>,
}

impl Workspace {
    /// Asks cargo. The platform is this machine's, so that nothing is fetched that a build would not need.
    pub(crate) fn here() -> Self {
        let root = Repo::root();
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .features(CargoOpt::AllFeatures)
            .other_options(["--locked".to_owned(), "--filter-platform".to_owned(), host()])
            .exec()
            .unwrap();

        let members = metadata.workspace_packages().into_iter().map(|package| Member {
            name: package.name.to_string(),
            folder: package.manifest_path.parent().unwrap().strip_prefix(&root).unwrap().to_string(),
            license: package.license.clone(),
            rust_version: package.rust_version.clone(),
            programs: package
                .targets
                .iter()
                .filter(|t| t.kind.contains(&TargetKind::Bin))
                .map(|t| t.name.clone())
                .collect(),
            needs: package
                .dependencies
                .iter()
                .map(|need| Need { name: need.name.clone(), dev: need.kind == DependencyKind::Development })
                .collect(),
        });

        let shipped =
            metadata.workspace_packages().into_iter().filter(|package| package.name.as_str() != TESTS);
        let reached = reach(&metadata, shipped.map(|package| package.id.clone()).collect());
        let linked = metadata
            .packages
            .iter()
            .filter(|package| package.source.is_some() && reached.contains(&package.id));
        let linked = linked.map(|package| Linked {
            name: package.name.to_string(),
            version: package.version.to_string(),
            rust_version: package.rust_version.clone(),
        });
        Self { members: members.collect(), linked: linked.collect() }
    }
}

/// Everything that normal and build dependencies lead to.
fn reach(metadata: &cargo_metadata::Metadata, from: Vec<PackageId>) -> BTreeSet<PackageId> {
    let resolve = metadata.resolve.as_ref().unwrap();
    let nodes: HashMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut reached = BTreeSet::new();
    let mut next = from;
    while let Some(id) = next.pop() {
        if !reached.insert(id.clone()) {
            continue;
        }
        let ships = |kinds: &[cargo_metadata::DepKindInfo]| {
            kinds.iter().any(|k| k.kind != DependencyKind::Development)
        };
        next.extend(nodes[&id].deps.iter().filter(|dep| ships(&dep.dep_kinds)).map(|dep| dep.pkg.clone()));
    }
    reached
}

/// The target triple of the compiler in use.
fn host() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = std::process::Command::new(rustc).arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}
