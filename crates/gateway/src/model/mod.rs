//! Models: which are asked, in which order, and what is remembered of their failures.

#[cfg(feature = "providers")]
mod provider;
pub(crate) mod script;
mod scripted;
mod watched;

use std::{path::Path, sync::Arc};

use moorline_failover::{CooldownStore, MemoryStore};
use moorline_runner::{Candidate, Model};
use moorline_taxonomy::Local;

pub(crate) use watched::tell_skipped;

use self::{script::Script, scripted::ScriptedModel};
use crate::{
    exit::{Exit, Failure},
    settings::Settings,
    state_dir::StateDir,
};

/// What turns ask. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Models {
    pub(crate) model: Arc<dyn Model>,
    /// In the order in which they are tried.
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) cooldowns: Arc<dyn CooldownStore>,
}

impl Models {
    /// The models of the settings. A script wins over them; without either the built-in script answers.
    pub(crate) fn open(settings: &Settings, script: Option<&Path>, state: &StateDir) -> anyhow::Result<Self> {
        match script {
            Some(path) => Ok(Self::scripted(read_script(path)?)),
            None if settings.models.is_empty() => Ok(Self::scripted(Script::built_in()?)),
            None => Self::configured(settings, state),
        }
    }

    #[cfg(feature = "providers")]
    fn configured(settings: &Settings, state: &StateDir) -> anyhow::Result<Self> {
        provider::open(&settings.models, state, crate::settings::environment)
    }

    #[cfg(not(feature = "providers"))]
    fn configured(_settings: &Settings, _state: &StateDir) -> anyhow::Result<Self> {
        Err(Failure::new(Exit::Config, Local::Config, WITHOUT_PROVIDERS).into())
    }

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

/// Why a build without providers does not take `models`.
#[cfg(not(feature = "providers"))]
pub(crate) const WITHOUT_PROVIDERS: &str = "models are configured, and this build has no providers: build it with `cargo build --features providers`, or \
     remove `models` to use the scripted model";

fn read_script(path: &Path) -> anyhow::Result<Script> {
    let wrong = |problem: String| {
        Failure::new(Exit::Config, Local::Config, format!("the script {}: {problem}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Script::parse(&text).map_err(|error| wrong(format!("{error:#}")).into())
}
