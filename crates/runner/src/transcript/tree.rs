//! From entries in file order to the active branch. Pure.
//!
//! The last entry that is no side entry is the leaf; a `leaf` entry moves it, if what it points to is there. Entries without
//! `parentId` come from lists (the first generation) and follow the one before. Cycles and missing parents end a branch; they
//! are never an error, since a session that cannot be opened is worse than one that is cut.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde_json::Value;

use super::entry::{Entry, Kind, ParentRef};

pub(super) struct Tree {
    /// Indexes of the entries on the active branch, root first.
    pub(super) branch: Vec<usize>,
    /// The branch goes on above, but the entry is not among those given.
    pub(super) cut: bool,
    /// The leaf's id; `None` without entries, before the first one, or in a list.
    pub(super) leaf: Option<Arc<str>>,
}

enum Place {
    Root,
    At(usize),
    /// Named, and perhaps before what was read.
    Before(Arc<str>),
    Unknown,
}

/// Resolves the branch. `window` says that entries before the first one exist and were not read.
pub(super) fn resolve(entries: &[Entry], window: bool) -> Tree {
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Some(id) = entry.id() {
            by_id.insert(id, index);
        }
    }
    let place = |id: &str| by_id.get(id).map_or(Place::Unknown, |index| Place::At(*index));
    let mut before: Vec<Option<usize>> = Vec::with_capacity(entries.len());
    let mut leaf = if window { Place::Unknown } else { Place::Root };
    let mut last: Option<usize> = None;
    for (index, entry) in entries.iter().enumerate() {
        before.push(last);
        match entry.kind() {
            Kind::Header => continue,
            Kind::Leaf => {
                let value = entry.value();
                match value.get("targetId") {
                    Some(Value::Null) => leaf = Place::Root,
                    Some(Value::String(id)) => match by_id.get(id.as_str()) {
                        // A control that points forward or nowhere was never in force.
                        Some(target) if *target < index => leaf = Place::At(*target),
                        None if window => leaf = Place::Before(Arc::from(id.as_str())),
                        Some(_) | None => {}
                    },
                    Some(_) | None => {}
                }
                continue;
            }
            Kind::Message
            | Kind::CustomMessage
            | Kind::Custom
            | Kind::Label
            | Kind::SessionInfo
            | Kind::Compaction
            | Kind::BranchSummary
            | Kind::Setting
            | Kind::Other => {}
        }
        if entry.side || (entry.id.is_none() && entry.parent != ParentRef::Absent) {
            continue;
        }
        leaf = Place::At(index);
        last = Some(index);
    }
    let leaf_id = match leaf {
        Place::At(index) => entries[index].id.clone(),
        Place::Before(ref id) => Some(Arc::clone(id)),
        Place::Root | Place::Unknown => None,
    };
    let mut branch = Vec::new();
    let mut seen = HashSet::new();
    let cut = loop {
        match leaf {
            Place::Root => break false,
            Place::Before(_) | Place::Unknown => break true,
            Place::At(index) => {
                if !seen.insert(index) {
                    break true;
                }
                branch.push(index);
                leaf = match &entries[index].parent {
                    ParentRef::Root => Place::Root,
                    ParentRef::Id(id) => place(id),
                    ParentRef::Absent => match before[index] {
                        Some(index) => Place::At(index),
                        None if window => Place::Unknown,
                        None => Place::Root,
                    },
                };
            }
        }
    };
    branch.reverse();
    Tree { branch, cut, leaf: leaf_id }
}
