//! The settings that are one value each: key, name in the environment, what is allowed, and what they decide.

use std::time::Duration;

use serde_json::Value;

use super::{Problem, Settings};

/// How much is taken on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) calls_per_second: u64,
    pub(crate) turns: u64,
    pub(crate) waiting_per_session: u64,
    pub(crate) turn_timeout_ms: u64,
    pub(crate) ping_pong: u64,
    pub(crate) spawn_depth: u64,
    pub(crate) spawn_children: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_second: 2000,
            turns: 64,
            waiting_per_session: 64,
            turn_timeout_ms: 600_000,
            ping_pong: 5,
            spawn_depth: 3,
            spawn_children: 32,
        }
    }
}

impl Limits {
    pub(crate) fn calls_per_second(&self) -> u32 {
        u32::try_from(self.calls_per_second).unwrap_or(u32::MAX)
    }

    pub(crate) const fn longest_turn(&self) -> Duration {
        Duration::from_millis(self.turn_timeout_ms)
    }
}

/// Delivery of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announce {
    pub(crate) expiry_ms: u64,
    pub(crate) retention_ms: u64,
}

impl Default for Announce {
    fn default() -> Self {
        Self { expiry_ms: 30 * 60 * 1000, retention_ms: 7 * 24 * 60 * 60 * 1000 }
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    Text,
    Json,
}

impl LogFormat {
    const ALL: [Self; 3] = [Self::Auto, Self::Text, Self::Json];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// One setting.
pub(super) struct Setting {
    pub(super) key: &'static str,
    pub(super) env: &'static str,
    pub(super) takes: Takes,
    #[cfg_attr(not(test), allow(dead_code, reason = "docs/configuration.md is compared with it"))]
    pub(super) meaning: &'static str,
}

/// What a setting takes, and where it goes.
pub(super) enum Takes {
    Whole { min: u64, max: u64, of: fn(&mut Settings) -> &mut u64 },
    Format,
}

const DAY: u64 = 24 * 60 * 60 * 1000;

/// Every setting that is one value, the lock's own left out.
pub(super) const SETTINGS: [Setting; 10] = [
    Setting {
        key: "limits.callsPerSecond",
        env: "MOORLINE_LIMITS_CALLS_PER_SECOND",
        takes: Takes::Whole { min: 1, max: 1_000_000, of: |settings| &mut settings.limits.calls_per_second },
        meaning: "requests and messages with the token that the gateway takes each second, twice as many at once; more are refused at once with a delay",
    },
    Setting {
        key: "limits.turns",
        env: "MOORLINE_LIMITS_TURNS",
        takes: Takes::Whole { min: 1, max: 4096, of: |settings| &mut settings.limits.turns },
        meaning: "turns under way at once in the gateway; more wait in order",
    },
    Setting {
        key: "limits.waitingPerSession",
        env: "MOORLINE_LIMITS_WAITING_PER_SESSION",
        takes: Takes::Whole { min: 0, max: 65536, of: |settings| &mut settings.limits.waiting_per_session },
        meaning: "turns that may wait for one session; more are refused at once with coordination.lane_timeout",
    },
    Setting {
        key: "limits.turnTimeoutMs",
        env: "MOORLINE_LIMITS_TURN_TIMEOUT_MS",
        takes: Takes::Whole { min: 1000, max: DAY, of: |settings| &mut settings.limits.turn_timeout_ms },
        meaning: "the longest a turn may take, waiting for its lane included, when its caller says nothing",
    },
    Setting {
        key: "limits.pingPong",
        env: "MOORLINE_LIMITS_PING_PONG",
        takes: Takes::Whole { min: 0, max: 20, of: |settings| &mut settings.limits.ping_pong },
        meaning: "turns of an exchange between two sessions after the first reply, when the sender says nothing",
    },
    Setting {
        key: "limits.spawnDepth",
        env: "MOORLINE_LIMITS_SPAWN_DEPTH",
        takes: Takes::Whole { min: 1, max: 16, of: |settings| &mut settings.limits.spawn_depth },
        meaning: "children of children, counted from a session that nobody spawned",
    },
    Setting {
        key: "limits.spawnChildren",
        env: "MOORLINE_LIMITS_SPAWN_CHILDREN",
        takes: Takes::Whole { min: 1, max: 4096, of: |settings| &mut settings.limits.spawn_children },
        meaning: "children of one session that may be under way",
    },
    Setting {
        key: "announce.expiryMs",
        env: "MOORLINE_ANNOUNCE_EXPIRY_MS",
        takes: Takes::Whole { min: 60_000, max: 7 * DAY, of: |settings| &mut settings.announce.expiry_ms },
        meaning: "how long delivery of a result is tried; time for which it had to wait does not count",
    },
    Setting {
        key: "announce.retentionMs",
        env: "MOORLINE_ANNOUNCE_RETENTION_MS",
        takes: Takes::Whole { min: DAY, max: 366 * DAY, of: |settings| &mut settings.announce.retention_ms },
        meaning: "how long a settled result is kept in the outbox",
    },
    Setting {
        key: "log.format",
        env: "MOORLINE_LOG_FORMAT",
        takes: Takes::Format,
        meaning: "auto: text on a terminal and JSON elsewhere; text or json: always",
    },
];

impl Takes {
    /// What is allowed, as the end of a sentence.
    pub(super) fn allowed(&self) -> String {
        match self {
            Self::Whole { min, max, .. } => format!("whole numbers from {min} to {max}"),
            Self::Format => LogFormat::ALL.map(LogFormat::as_str).join(", "),
        }
    }

    /// Sets it. A value of the environment is text.
    pub(super) fn set(&self, settings: &mut Settings, name: &str, value: &Value) -> Result<(), Problem> {
        let wrong = || Problem::value(name, value, &self.allowed());
        match self {
            Self::Whole { min, max, of } => {
                let digits = value.as_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                let number = value.as_u64().or_else(|| digits?.parse().ok());
                let number = number.filter(|number| (min..=max).contains(&number)).ok_or_else(wrong)?;
                *of(settings) = number;
            }
            Self::Format => {
                let known = LogFormat::ALL.into_iter().find(|format| Some(format.as_str()) == value.as_str());
                settings.log = known.ok_or_else(wrong)?;
            }
        }
        Ok(())
    }

    /// The value as the page shows it.
    #[cfg(test)]
    pub(super) fn get(&self, settings: &mut Settings) -> String {
        match self {
            Self::Whole { of, .. } => of(settings).to_string(),
            Self::Format => settings.log.as_str().to_owned(),
        }
    }
}
