//! The settings file of a state directory, `config.yaml`: `session.writeLock.*`, as the operator guide lists them. The
//! environment wins over the file, the file over the defaults.

use std::collections::BTreeMap;

use moorline_lock_core::{LockConfig, OnStale};
use moorline_taxonomy::Local;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    exit::{Exit, Failure},
    state_dir::StateDir,
};

/// Larger files are not settings.
const MAX_BYTES: u64 = 64 * 1024;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    session: Session,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Session {
    write_lock: BTreeMap<String, Value>,
}

/// The lock settings of a state directory; `on_stale` is the default of the command that asks.
#[allow(clippy::disallowed_methods, reason = "the program reads the environment, its libraries do not")]
pub(crate) fn lock_config(state: &StateDir, on_stale: OnStale) -> anyhow::Result<LockConfig> {
    let environment = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let defaults = LockConfig { on_stale, ..LockConfig::default() };
    let config = defaults.overridden_by_entries(&entries(state)?)?.overridden_by(environment)?;
    config.check_compat()?;
    Ok(config)
}

fn entries(state: &StateDir) -> anyhow::Result<BTreeMap<String, String>> {
    let path = state.root().join("config.yaml");
    let wrong =
        |problem: String| Failure::new(Exit::Config, Local::Config, format!("{}: {problem}", path.display()));
    let length = match std::fs::metadata(&path) {
        Ok(file) => file.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(wrong(error.to_string()).into()),
    };
    if length > MAX_BYTES {
        return Err(wrong("it is larger than 64 KiB".to_owned()).into());
    }
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    let file: File = serde_saphyr::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let mut entries = BTreeMap::new();
    flatten(String::new(), file.session.write_lock, &mut entries);
    Ok(entries)
}

/// `compat: { fsSafe: true }` is the key `compat.fsSafe`.
fn flatten(prefix: String, fields: BTreeMap<String, Value>, into: &mut BTreeMap<String, String>) {
    for (key, value) in fields {
        let key = format!("{prefix}{key}");
        match value {
            Value::Object(inner) => flatten(format!("{key}."), inner.into_iter().collect(), into),
            Value::String(text) => {
                into.insert(key, text);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                into.insert(key, value.to_string());
            }
        }
    }
}
