//! Models: which are asked, in which order, and what is remembered of their failures.

pub(crate) mod script;
mod scripted;

use std::sync::Arc;

use moorline_failover::{CooldownStore, MemoryStore};
use moorline_runner::{Candidate, Model};

use self::{script::Script, scripted::ScriptedModel};

/// What turns ask. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Models {
    pub(crate) model: Arc<dyn Model>,
    /// In the order in which they are tried.
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) cooldowns: Arc<dyn CooldownStore>,
}

impl Models {
    /// The embedded model. It stands for two candidates, so that a scripted failure has somewhere to go; what cools is
    /// forgotten with the process, as the script is.
    pub(crate) fn scripted(script: Script) -> Self {
        Self {
            model: Arc::new(ScriptedModel::new(script)),
            candidates: vec![Candidate::new("scripted", "a"), Candidate::new("scripted", "b")],
            cooldowns: Arc::new(MemoryStore::new()),
        }
    }
}
