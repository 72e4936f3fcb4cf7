//! The one global of this crate: the process registry.
//!
//! It must be one per process, not one per [`crate::Locks`], because two parts of a program that know nothing of each other
//! still contend for the same files: their waiters share one queue per file and one inotify descriptor (128 instances
//! per user), and a lock that this process holds must be known as its own whoever acquired it. Two copies of this crate
//! in one program are two registries; the kernel's evidence keeps them apart correctly.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, Weak},
};

use crate::{
    background::Background,
    hold::Hold,
    lane::Lanes,
    nonce::Nonce,
    sync::lock,
    sys::{
        fork::{self, Generation},
        process::Identity,
    },
    target::LaneKey,
};

static GLOBAL: LazyLock<Registry> = LazyLock::new(|| Registry {
    lanes: Arc::new(Lanes::new()),
    holds: Mutex::new(HashMap::new()),
    identity: Mutex::new(None),
    background: Background::new(),
});

pub(crate) struct Registry {
    pub(crate) lanes: Arc<Lanes<LaneKey>>,
    holds: Mutex<HashMap<Nonce, Weak<Hold>>>,
    identity: Mutex<Option<(Generation, Arc<Identity>)>>,
    pub(crate) background: Background,
}

pub(crate) fn global() -> &'static Registry {
    &GLOBAL
}

impl Registry {
    /// This process's identity; read anew after a fork.
    pub(crate) fn identity(&self) -> Arc<Identity> {
        let mut identity = lock(&self.identity);
        let generation = fork::generation();
        match &*identity {
            Some((known, of_it)) if *known == generation => Arc::clone(of_it),
            Some(_) | None => {
                let fresh = Arc::new(Identity::of_this_process());
                *identity = Some((generation, Arc::clone(&fresh)));
                fresh
            }
        }
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
