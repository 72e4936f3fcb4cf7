//! `MODE DIR [KEY=VALUE]...`: what the worker is told at its start.

use std::{collections::HashMap, path::PathBuf, str::FromStr, time::Duration};

use moorline_lock_core::{
    LockConfig, Locks, OnHoldExceeded, OnStale, PublishMode, ReclaimMode, Target, Wait,
};

pub(crate) struct Args {
    pub(crate) mode: String,
    pub(crate) dir: PathBuf,
    values: HashMap<String, String>,
}

impl Args {
    pub(crate) fn of_this_process() -> Option<Self> {
        let mut args = std::env::args().skip(1);
        let (mode, dir) = (args.next()?, PathBuf::from(args.next()?));
        Some(Self { mode, dir, values: pairs(args) })
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    pub(crate) fn number<T: FromStr>(&self, key: &str, default: T) -> T {
        self.text(key).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    pub(crate) fn threads(&self) -> usize {
        self.number("threads", 0)
    }

    pub(crate) fn target(&self, name: &str) -> Result<Target, String> {
        Target::sidecar_of(&self.dir.join(name)).map_err(|error| format!("target {name}: {error}"))
    }

    pub(crate) fn locks(&self) -> Locks {
        let config = LockConfig {
            acquire_timeout: Some(self.millis("timeout").unwrap_or(Duration::from_secs(60))),
            stale: self.millis("stale").unwrap_or(Duration::from_secs(1800)),
            max_hold: self.millis("max_hold").unwrap_or(Duration::from_secs(300)),
            on_stale: if self.text("on_stale") == Some("report") { OnStale::Report } else { OnStale::Wait },
            on_hold_exceeded: if self.text("revoke") == Some("1") {
                OnHoldExceeded::Revoke
            } else {
                OnHoldExceeded::Report
            },
            fs_safe_guard: self.text("guard") == Some("1"),
            ..LockConfig::default()
        };
        let publish = match self.text("publish") {
            Some("rename") => PublishMode::Rename,
            Some("link") => PublishMode::Link,
            Some(_) | None => PublishMode::Unnamed,
        };
        let reclaim = match self.text("reclaim") {
            Some("naive") => ReclaimMode::Naive,
            Some("unlink") => ReclaimMode::UnlinkAndLink,
            Some(_) | None => ReclaimMode::Exchange,
        };
        Locks::with_modes(config, publish, reclaim)
    }

    fn millis(&self, key: &str) -> Option<Duration> {
        self.text(key).and_then(|text| text.parse().ok()).map(Duration::from_millis)
    }
}

/// `KEY=VALUE` words as a map; a word without a sign is a key with an empty value.
pub(crate) fn pairs(words: impl Iterator<Item = String>) -> HashMap<String, String> {
    words
        .map(|word| match word.split_once('=') {
            Some((key, value)) => (key.to_owned(), value.to_owned()),
            None => (word, String::new()),
        })
        .collect()
}

/// The wait of one acquisition, from the words of a command; what is not said is as the settings say.
pub(crate) fn wait(locks: &Locks, words: &HashMap<String, String>) -> Wait {
    let millis = |key: &str| words.get(key).and_then(|text| text.parse().ok()).map(Duration::from_millis);
    Wait {
        timeout: millis("timeout").or(locks.config().acquire_timeout),
        on_stale: words
            .get("on_stale")
            .map(|word| if word == "report" { OnStale::Report } else { OnStale::Wait }),
        max_hold: millis("max_hold"),
    }
}
