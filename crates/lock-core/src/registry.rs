//! The one global of this crate: the process registry.
//!
//! It must be one per process, not one per [`crate::Locks`], because two parts of a program that know nothing of each other
//! still contend for the same files: their waiters share one queue per file and one inotify descriptor (128 instances
//! per user), and a lock that this process holds must be known as its own whoever acquired it. Two copies of this crate
//! in one program are two registries; the kernel's evidence keeps them apart correctly.

use std::sync::{Arc, LazyLock, Mutex, Weak};

use crate::{
    background::Background,
    hold::Hold,
    lane::Lanes,
    nonce::Nonce,
    prehashed::PrehashedMap,
    record::ProcessText,
    sync::lock,
    sys::{
        fork::{self, Generation},
        process::Identity,
    },
    target::LaneKey,
};

static GLOBAL: LazyLock<Registry> = LazyLock::new(|| Registry {
    lanes: Lanes::new(),
    holds: Mutex::new(PrehashedMap::default()),
    process: Mutex::new(None),
    background: Background::new(),
});

pub(crate) struct Registry {
    pub(crate) lanes: Lanes<LaneKey>,
    holds: Mutex<PrehashedMap<Nonce, Weak<Hold>>>,
    process: Mutex<Option<(Generation, &'static Process)>>,
    pub(crate) background: Background,
}

/// What this process is, and the text of it in a record.
pub(crate) struct Process {
    identity: Identity,
    pub(crate) text: ProcessText,
}

pub(crate) fn global() -> &'static Registry {
    &GLOBAL
}

impl Registry {
    /// This process, as it is judged and as it is written.
    pub(crate) fn process(&self) -> &'static Process {
        let mut process = lock(&self.process);
        let generation = fork::generation();
        match &*process {
            Some((known, of_it)) if *known == generation => of_it,
            // Read anew after a fork. Kept for ever, because there is one of it for each.
            Some(_) | None => {
                let identity = Identity::of_this_process();
                let text = ProcessText::of(&identity);
                let fresh = Box::leak(Box::new(Process { identity, text }));
                *process = Some((generation, fresh));
                fresh
            }
        }
    }

    pub(crate) fn identity(&self) -> &'static Identity {
        &self.process().identity
    }

    pub(crate) fn add(&self, hold: &Arc<Hold>) {
        lock(&self.holds).insert(*hold.nonce(), Arc::downgrade(hold));
    }

    pub(crate) fn remove(&self, nonce: &Nonce) {
        lock(&self.holds).remove(nonce);
    }

    /// Whether a record's nonce is that of a lock this process holds.
    pub(crate) fn holds(&self, nonce: &str) -> bool {
        Nonce::read(nonce).is_some_and(|nonce| lock(&self.holds).contains_key(&nonce))
    }

    #[cfg(feature = "control")]
    pub(crate) fn find(&self, nonce: &str) -> Option<Arc<Hold>> {
        lock(&self.holds).get(&Nonce::read(nonce)?).and_then(Weak::upgrade)
    }

    /// Every lock this process holds now.
    pub(crate) fn all(&self) -> Vec<Arc<Hold>> {
        lock(&self.holds).values().filter_map(Weak::upgrade).collect()
    }
}
