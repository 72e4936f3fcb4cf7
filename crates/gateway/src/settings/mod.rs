//! Settings: what `config.yaml` in the state directory and the environment say, and what the program does without them.
//!
//! The environment wins over the file, the file over the defaults. The decision: the file is read as a tree and each key is
//! looked up in one table ([`SETTINGS`], the lock's own table, the fields of models and providers), so that a problem can
//! name key, value and what is allowed, and an unknown key its nearest known one; all problems are found at once. The
//! option not taken is deriving a reader for the whole file: its errors name types, and it stops at the first.
//!
//! What must stay true: a wrong value is never replaced by a default in silence, and no value that may be a secret is in a
//! message. docs/configuration.md lists the same tables; a test compares them.

mod file;
mod models;
mod table;

use std::{collections::BTreeMap, fmt, path::Path};

use moorline_lock_core::{LockConfig, OnStale};
use moorline_taxonomy::{Local, redact};
use serde_json::Value;

use crate::{
    exit::{Exit, Failure},
    state_dir::StateDir,
};

pub(crate) use models::ModelChoice;
#[cfg(feature = "providers")]
pub(crate) use models::{Api, ProviderChoice};
use table::SETTINGS;
pub(crate) use table::{Announce, Limits, LogFormat};

/// Below this the lock's own settings stand.
const WRITE_LOCK: &str = "session.writeLock.";
/// Names in the environment that are no settings of the table, and what reads them.
const OTHER_NAMES: [&str; 3] = ["MOORLINE_STATE_DIR", "MOORLINE_LOG", models::ENV];

/// Everything that can be set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) lock: LockConfig,
    pub(crate) limits: Limits,
    pub(crate) announce: Announce,
    pub(crate) log: LogFormat,
    /// The models that are asked, in order; empty: the scripted one.
    pub(crate) models: Vec<ModelChoice>,
}

/// Something in the file or the environment that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The key in the file or the name in the environment.
    pub(crate) key: String,
    /// What is wrong with it, as the rest of the sentence.
    pub(crate) says: String,
    pub(crate) stands: Stands,
}

/// Where a value was found, and is to be corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    InFile,
    InEnvironment,
}

/// The settings as far as they can be meant, and what is wrong.
pub(crate) struct Read {
    pub(crate) settings: Settings,
    pub(crate) problems: Vec<Problem>,
}

impl Problem {
    fn new(key: impl Into<String>, says: impl Into<String>) -> Self {
        Self { key: key.into(), says: says.into(), stands: Stands::InFile }
    }

    fn in_environment(self) -> Self {
        Self { stands: Stands::InEnvironment, ..self }
    }

    fn value(key: impl Into<String>, value: &Value, allowed: &str) -> Self {
        Self::new(key, format!("is {}: allowed are {allowed}", shown(value)))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.says)
    }
}

/// The settings of a state directory; `on_stale` is the default of the command that asks.
pub(crate) fn load(state: &StateDir, on_stale: OnStale) -> anyhow::Result<Settings> {
    let path = path_of(state.root());
    let Read { settings, problems } = read(&path, on_stale, environment);
    if !problems.is_empty() {
        return Err(Failure::new(Exit::Config, Local::Config, said(&problems, &path)).into());
    }
    settings.lock.check_compat()?;
    let warnings = settings.lock.warnings();
    for warning in warnings.into_iter().chain(unknown_names().iter().map(ToString::to_string)) {
        tracing::warn!("{warning}");
    }
    Ok(settings)
}

/// Every problem, after the place where it is to be corrected.
fn said(problems: &[Problem], file: &Path) -> String {
    let of = |stands: Stands, place: &str| {
        let here = problems.iter().filter(|problem| problem.stands == stands);
        let all: Vec<_> = here.map(ToString::to_string).collect();
        (!all.is_empty()).then(|| format!("{place}: {}", all.join("; ")))
    };
    let file = of(Stands::InFile, &file.display().to_string());
    let environment = of(Stands::InEnvironment, "the environment");
    file.into_iter().chain(environment).collect::<Vec<_>>().join("; ")
}

/// How logs are written, as far as that is readable; what is wrong is said by whoever loads the settings afterwards.
pub(crate) fn log_format(root: Option<&Path>) -> LogFormat {
    let path = root.map_or_else(Default::default, path_of);
    read(&path, OnStale::Report, environment).settings.log
}

pub(crate) fn path_of(root: &Path) -> std::path::PathBuf {
    root.join("config.yaml")
}

/// The program's environment, by name.
#[allow(clippy::disallowed_methods, reason = "the program reads the environment, its libraries do not")]
pub(crate) fn environment(name: &str) -> Option<String> {
    // An empty variable is how shells unset one.
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}

/// Names that look like ours and are none, each with the nearest known one.
#[allow(clippy::disallowed_methods, reason = "the program reads the environment, its libraries do not")]
pub(crate) fn unknown_names() -> Vec<Problem> {
    let lock = moorline_lock_core::SETTINGS.iter().flat_map(|setting| setting.env.iter().copied());
    let known: Vec<&str> =
        SETTINGS.iter().map(|setting| setting.env).chain(lock).chain(OTHER_NAMES).collect();
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let ours = names.filter(|name| name.starts_with("MOORLINE_") && !known.contains(&name.as_str()));
    ours.map(|name| {
        let nearest = nearest(&name, known.iter().copied());
        Problem::new(name, format!("in the environment is no setting{nearest}")).in_environment()
    })
    .collect()
}

/// Reads the file (an absent one is empty) and the environment.
pub(crate) fn read(path: &Path, on_stale: OnStale, environment: impl Fn(&str) -> Option<String>) -> Read {
    let mut settings = Settings {
        lock: LockConfig { on_stale, ..LockConfig::default() },
        limits: Limits::default(),
        announce: Announce::default(),
        log: LogFormat::default(),
        models: Vec::new(),
    };
    let mut problems = Vec::new();
    let mut tree = file::tree(path).unwrap_or_else(|problem| {
        problems.push(problem);
        serde_json::Map::new()
    });
    let (providers, chosen) = (tree.remove("providers"), tree.remove("models"));
    let mut entries = BTreeMap::new();
    let is_section = |name: &str| known_keys().any(|key| key.starts_with(&format!("{name}.")));
    file::flatten(String::new(), tree, &is_section, &mut entries);
    for (key, value) in &entries {
        let set = match key.strip_prefix(WRITE_LOCK) {
            _ if is_section(key) => Err(no_section(key, value)),
            Some(lock_key) => set_lock(&mut settings.lock, key, lock_key, value),
            None => set(&mut settings, key, value),
        };
        problems.extend(set.err());
    }
    for setting in &SETTINGS {
        if let Some(value) = environment(setting.env) {
            let set = setting.takes.set(&mut settings, setting.env, &Value::String(value));
            problems.extend(set.err().map(Problem::in_environment));
        }
    }
    match settings.lock.clone().overridden_by(&environment) {
        Ok(lock) => settings.lock = lock,
        Err(error) => {
            let says = format!("is {:?}: {}", error.value, error.problem);
            problems.push(Problem::new(&error.key, says).in_environment());
        }
    }
    settings.models = models::read(providers, chosen, environment(models::ENV), &mut problems);
    Read { settings, problems }
}

/// A value where a table of keys is expected.
fn no_section(key: &str, value: &Value) -> Problem {
    let below = known_keys().filter_map(|known| Some(known.strip_prefix(key)?.strip_prefix('.')?.to_owned()));
    let keys: Vec<_> = below.collect();
    Problem::new(key, format!("is {}: it is a table with the keys {}", shown(value), keys.join(", ")))
}

fn set(settings: &mut Settings, key: &str, value: &Value) -> Result<(), Problem> {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
        let known: Vec<String> = known_keys().chain(["models", "providers"].map(str::to_owned)).collect();
        let nearest = nearest(key, known.iter().map(String::as_str));
        return Err(Problem::new(key, format!("is no setting{nearest}")));
    };
    setting.takes.set(settings, key, value)
}

fn set_lock(lock: &mut LockConfig, key: &str, lock_key: &str, value: &Value) -> Result<(), Problem> {
    if !moorline_lock_core::SETTINGS.iter().any(|setting| setting.key == lock_key) {
        let known = moorline_lock_core::SETTINGS.map(|setting| format!("{WRITE_LOCK}{}", setting.key));
        return Err(Problem::new(
            key,
            format!("is no setting{}", nearest(key, known.iter().map(String::as_str))),
        ));
    }
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    let one = BTreeMap::from([(lock_key.to_owned(), text)]);
    match lock.clone().overridden_by_entries(&one) {
        Ok(changed) => *lock = changed,
        Err(error) => {
            return Err(Problem::new(&error.key, format!("is {:?}: {}", error.value, error.problem)));
        }
    }
    Ok(())
}

/// Every key of the file that is one value.
fn known_keys() -> impl Iterator<Item = String> {
    let lock = moorline_lock_core::SETTINGS.iter().map(|setting| format!("{WRITE_LOCK}{}", setting.key));
    SETTINGS.iter().map(|setting| setting.key.to_owned()).chain(lock)
}

/// A suggestion, as the end of a sentence; the page where everything stands if nothing is near.
fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    let scored = known.map(|known| (strsim::normalized_damerau_levenshtein(wrong, known), known));
    match scored.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((score, known)) if score > 0.6 => format!("; did you mean {known}?"),
        Some(_) | None => "; docs/configuration.md lists them".to_owned(),
    }
}

/// A value as it may be shown: short, and without what looks like a secret.
fn shown(value: &Value) -> String {
    let text: String = value.to_string().chars().take(64).collect();
    redact(&text).into_owned()
}

#[cfg(test)]
mod tests;
