//! Settings of the lock, their environment names, and what makes a value wrong.
//!
//! `staleMs` and `maxHoldMs` decide when a *live* lock is reported, never when it is removed. The library reads the
//! environment only when it is asked to ([`LockConfig::from_env`]). docs/operator-guide.md carries the same table; a
//! test compares the two.

use std::{collections::BTreeMap, fmt, time::Duration};

use moorline_taxonomy::{Local, Mark};

use crate::sys::process;

/// The largest value: what JavaScript programs that share the setting can represent.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// What a waiter does when it meets a live lock that is older than it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStale {
    /// Fail at once with a typed stale error; the lock stays.
    #[default]
    Report,
    /// Use the rest of the acquire budget first, then fail as stale rather than as a timeout.
    Wait,
}

/// What the watchdog does when this process holds a lock longer than `maxHoldMs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnHoldExceeded {
    /// Report it with its owner.
    #[default]
    Report,
    /// Revoke the guard (appends fail typed, the one in flight finishes), then release.
    Revoke,
}

/// Settings of the session lock.
///
/// ```
/// use moorline_lock_core::LockConfig;
/// use std::time::Duration;
/// let config = LockConfig::default();
/// assert_eq!(config.acquire_timeout, Some(Duration::from_secs(60)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockConfig {
    /// The longest wait for a lock; `None` waits without end (`Infinity`). Default 60 s.
    pub acquire_timeout: Option<Duration>,
    /// The age past which a live lock is reported as `too-old`. Default 30 min.
    pub stale: Duration,
    /// The hold past which the owner's own watchdog and every waiter report `hold-exceeded`. Default 5 min.
    pub max_hold: Duration,
    /// What a waiter does about a live stale lock.
    pub on_stale: OnStale,
    /// What the owner's watchdog does.
    pub on_hold_exceeded: OnHoldExceeded,
    /// Publish the `<lock>.reclaim` guard around a reclaim, for peers that honour it (fs-safe 0.5 and later).
    pub fs_safe_guard: bool,
    /// Programs of the OpenClaw generation use the same lock files ([`LockConfig::check_compat`]).
    pub openclaw: bool,
}

impl Default for LockConfig {
    // The defaults are those of the programs that share the lock files (OpenClaw 2026.5 to 2026.7).
    fn default() -> Self {
        Self {
            acquire_timeout: Some(Duration::from_millis(60_000)),
            stale: Duration::from_millis(1_800_000),
            max_hold: Duration::from_millis(300_000),
            on_stale: OnStale::Report,
            on_hold_exceeded: OnHoldExceeded::Report,
            fs_safe_guard: false,
            openclaw: false,
        }
    }
}

/// One setting: where it comes from and what it means. The operator guide is compared with this table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key in a configuration file, below `session.writeLock.`.
    pub key: &'static str,
    /// The environment names, the one that wins first.
    pub env: &'static [&'static str],
    /// The default, as an operator writes it.
    pub default: &'static str,
    /// What it decides.
    pub meaning: &'static str,
}

/// Every setting of the lock.
pub const SETTINGS: [Setting; 7] = [
    Setting {
        key: "acquireTimeoutMs",
        env: &[
            "MOORLINE_SESSION_WRITE_LOCK_ACQUIRE_TIMEOUT_MS",
            "OPENCLAW_SESSION_WRITE_LOCK_ACQUIRE_TIMEOUT_MS",
        ],
        default: "60000",
        meaning: "the longest wait for a lock, in milliseconds; Infinity waits without end",
    },
    Setting {
        key: "staleMs",
        env: &["MOORLINE_SESSION_WRITE_LOCK_STALE_MS", "OPENCLAW_SESSION_WRITE_LOCK_STALE_MS"],
        default: "1800000",
        meaning: "the age past which a live lock is reported as too-old; it is never removed for it",
    },
    Setting {
        key: "maxHoldMs",
        env: &["MOORLINE_SESSION_WRITE_LOCK_MAX_HOLD_MS", "OPENCLAW_SESSION_WRITE_LOCK_MAX_HOLD_MS"],
        default: "300000",
        meaning: "the hold past which a live lock is reported as hold-exceeded; it is never removed for it",
    },
    Setting {
        key: "onStale",
        env: &["MOORLINE_SESSION_WRITE_LOCK_ON_STALE"],
        default: "report",
        meaning: "report: a waiter fails at once with the stale error; wait: it uses the rest of its acquire budget first",
    },
    Setting {
        key: "onHoldExceeded",
        env: &["MOORLINE_SESSION_WRITE_LOCK_ON_HOLD_EXCEEDED"],
        default: "report",
        meaning: "report: the owner's watchdog reports its own long hold; revoke: it revokes the guard, then releases",
    },
    Setting {
        key: "compat.fsSafe",
        env: &["MOORLINE_SESSION_WRITE_LOCK_COMPAT_FS_SAFE"],
        default: "false",
        meaning: "true: publish a <lock>.reclaim guard around a reclaim, for peers that honour one",
    },
    Setting {
        key: "compat.openclaw",
        env: &["MOORLINE_SESSION_WRITE_LOCK_COMPAT_OPENCLAW"],
        default: "false",
        meaning: "true: refuse to start under a name whose locks OpenClaw <= 2026.7 would remove",
    },
];

/// A setting has a value that cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{key} is {value:?}: {problem}")]
pub struct ConfigError {
    /// The configuration key or environment name.
    pub key: String,
    /// The value, cut to 64 characters.
    pub value: String,
    /// What is wrong and what is allowed.
    pub problem: &'static str,
    #[source]
    mark: Mark,
}

impl ConfigError {
    fn new(key: &str, value: &str, problem: &'static str) -> Self {
        let value = value.chars().take(64).collect();
        Self { key: key.to_owned(), value, problem, mark: Mark::new(Local::Config) }
    }
}

impl LockConfig {
    /// The defaults, overridden by the process environment. Reads the environment now and never again.
    ///
    /// # Errors
    /// A value that is not a positive safe integer (or `Infinity` where allowed) is refused with its name.
    #[allow(clippy::disallowed_methods, reason = "the one explicit way to read the environment")]
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::default()
            .overridden_by(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// These settings, overridden by environment-like `lookup`. `MOORLINE_` names win over `OPENCLAW_` names.
    ///
    /// # Errors
    /// As [`LockConfig::from_env`].
    pub fn overridden_by(mut self, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        for setting in SETTINGS {
            // An empty variable is how shells unset one.
            let found = setting
                .env
                .iter()
                .find_map(|name| lookup(name).filter(|v| !v.is_empty()).map(|v| (*name, v)));
            if let Some((name, value)) = found {
                self.set(setting.key, name, &value)?;
            }
        }
        Ok(self)
    }

    /// These settings, overridden by a configuration file's `session.writeLock` entries (key without the prefix).
    ///
    /// # Errors
    /// An unknown key, or a value that cannot be meant.
    pub fn overridden_by_entries(mut self, entries: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        for (key, value) in entries {
            let name = format!("session.writeLock.{key}");
            let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
                return Err(ConfigError::new(&name, value, "no such setting; see docs/operator-guide.md"));
            };
            self.set(setting.key, &name, value)?;
        }
        Ok(self)
    }

    fn set(&mut self, key: &'static str, name: &str, value: &str) -> Result<(), ConfigError> {
        match key {
            "acquireTimeoutMs" if value == "Infinity" => self.acquire_timeout = None,
            "acquireTimeoutMs" => self.acquire_timeout = Some(millis(name, value)?),
            "staleMs" => self.stale = millis(name, value)?,
            "maxHoldMs" => self.max_hold = millis(name, value)?,
            "onStale" => {
                self.on_stale = match value {
                    "report" => OnStale::Report,
                    "wait" => OnStale::Wait,
                    _ => return Err(ConfigError::new(name, value, "allowed are report and wait")),
                }
            }
            "onHoldExceeded" => {
                self.on_hold_exceeded = match value {
                    "report" => OnHoldExceeded::Report,
                    "revoke" => OnHoldExceeded::Revoke,
                    _ => return Err(ConfigError::new(name, value, "allowed are report and revoke")),
                }
            }
            "compat.openclaw" => self.openclaw = boolean(name, value)?,
            _ => self.fs_safe_guard = boolean(name, value)?,
        }
        Ok(())
    }

    /// Checked once at start by programs that share lock files with OpenClaw <= 2026.7: those remove a live lock whose
    /// owner's command line does not look like theirs (`argv[0]` is `openclaw`, or an argument ends in `/openclaw`).
    ///
    /// # Errors
    /// `compat.openclaw` is true and this process does not look like one of theirs.
    pub fn check_compat(&self) -> Result<(), ConfigError> {
        if !self.openclaw || process::looks_like_agent(std::process::id()) != Some(false) {
            return Ok(());
        }
        let problem = "this program is not started as `openclaw`, so programs of that generation would remove its live \
                       locks; start it through a link of that name, or leave the setting false";
        Err(ConfigError::new("session.writeLock.compat.openclaw", "true", problem))
    }

    /// What is wrong with *configured* values taken together; values left at their defaults are not complained about.
    ///
    /// The values make sense in the order acquireTimeoutMs < maxHoldMs < staleMs. Where it is broken, waiters are told of
    /// a long hold before they time out, or a lock is called old while its hold is still allowed.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let default = Self::default();
        let timeout_set = self.acquire_timeout != default.acquire_timeout;
        let max_hold_set = self.max_hold != default.max_hold;
        let stale_set = self.stale != default.stale;
        let ms = |duration: Duration| duration.as_millis();
        let mut warnings = Vec::new();
        if let Some(acquire) = self.acquire_timeout
            && (timeout_set || max_hold_set)
            && acquire >= self.max_hold
        {
            warnings.push(format!(
                    "acquireTimeoutMs {} is not below maxHoldMs {}: waiters are told of a long hold before they time out",
                    ms(acquire),
                    ms(self.max_hold)
                ));
        }
        if (max_hold_set || stale_set) && self.max_hold >= self.stale {
            warnings.push(format!(
                "maxHoldMs {} is not below staleMs {}: a lock counts as too old while its hold is still allowed",
                ms(self.max_hold),
                ms(self.stale)
            ));
        }
        warnings
    }
}

fn boolean(name: &str, value: &str) -> Result<bool, ConfigError> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(ConfigError::new(name, value, "allowed are true and false")),
    }
}

fn millis(name: &str, value: &str) -> Result<Duration, ConfigError> {
    let wrong = || {
        ConfigError::new(name, value, "allowed are whole numbers of milliseconds from 1 to 9007199254740991")
    };
    // Digits alone: Rust would also take a plus sign, which the programs that share the setting refuse.
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    match value.parse::<u64>() {
        Ok(millis) if (1..=MAX_SAFE_INTEGER).contains(&millis) => Ok(Duration::from_millis(millis)),
        Ok(_) | Err(_) => Err(wrong()),
    }
}

impl fmt::Display for OnStale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report => "report",
            Self::Wait => "wait",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> Result<LockConfig, ConfigError> {
        LockConfig::default().overridden_by(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn ours_wins_over_theirs_and_infinity_is_allowed() {
        let config = env(&[
            ("OPENCLAW_SESSION_WRITE_LOCK_STALE_MS", "7"),
            ("MOORLINE_SESSION_WRITE_LOCK_STALE_MS", "9"),
            ("OPENCLAW_SESSION_WRITE_LOCK_ACQUIRE_TIMEOUT_MS", "Infinity"),
        ])
        .unwrap();
        assert_eq!(config.stale, Duration::from_millis(9));
        assert_eq!(config.acquire_timeout, None);
    }

    #[test]
    fn a_value_that_is_not_a_positive_safe_integer_names_key_and_value() {
        for value in [
            "0",
            "-1",
            "+5",
            "1.5",
            "1e3",
            "abc",
            " 5",
            "9007199254740992",
            "99999999999999999999",
            "Infinity",
        ] {
            let error = LockConfig::default()
                .overridden_by(|name| {
                    (name == "MOORLINE_SESSION_WRITE_LOCK_MAX_HOLD_MS").then(|| value.to_owned())
                })
                .unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains("MOORLINE_SESSION_WRITE_LOCK_MAX_HOLD_MS") && text.contains(value),
                "{text}"
            );
        }
    }

    #[test]
    fn only_configured_values_are_warned_about() {
        assert!(LockConfig::default().warnings().is_empty());
        let config = env(&[("MOORLINE_SESSION_WRITE_LOCK_ACQUIRE_TIMEOUT_MS", "400000")]).unwrap();
        assert_eq!(config.warnings().len(), 1);
        assert!(config.warnings()[0].contains("400000") && config.warnings()[0].contains("300000"));
        let config = env(&[("MOORLINE_SESSION_WRITE_LOCK_MAX_HOLD_MS", "1800000")]).unwrap();
        assert_eq!(config.warnings().len(), 1);
    }
}
