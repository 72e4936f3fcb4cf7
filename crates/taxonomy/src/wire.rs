//! The wire form: one JSON schema for an error, the same in process, over RPC and in logs.
//!
//! Text is never the carrier of the class: `code` is. A reader that meets a code of a newer version keeps its string
//! ([`WireCode::Other`]) and passes it on unharmed.

use std::{borrow::Cow, error::Error, fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Code, Effect, Local, Mark};

/// The version of the schema that this crate writes.
const VERSION: u32 = 1;
/// Causes kept; a longer chain is cut.
const MAX_CAUSES: usize = 32;
/// Bytes kept of one message.
const MAX_MESSAGE: usize = 4096;

/// A code on the wire: ours, or one of a version we do not know, kept as it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WireCode {
    /// A code of this version.
    Known(Code),
    /// A code of another version.
    Other(String),
}

impl WireCode {
    /// The code, where this version knows it.
    #[must_use]
    pub fn known(&self) -> Option<Code> {
        match self {
            Self::Known(code) => Some(*code),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for WireCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(code) => code.fmt(f),
            Self::Other(code) => f.write_str(code),
        }
    }
}

impl Serialize for WireCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WireCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(text.parse().map_or_else(|_| Self::Other(text.into_owned()), Self::Known))
    }
}

/// Who owns a lock, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Owner {
    /// Process id, in the owner's pid namespace.
    pub pid: Option<u32>,
    /// The host name the owner wrote.
    pub host: Option<String>,
    /// The run that owns the lock.
    pub run_id: Option<String>,
    /// The session that run belongs to.
    pub session_key: Option<String>,
    /// Whether the owner was seen alive.
    pub alive: Option<bool>,
    /// Age of the lock in milliseconds.
    pub age_ms: Option<u64>,
    /// `this run`, `this process`, `another live process` or `unprovable`.
    pub relation: Option<String>,
}

/// One link of a cause chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The code, where the link carries one.
    pub code: Option<WireCode>,
    /// What the link says.
    pub message: String,
}

/// An error on the wire.
///
/// ```
/// use moorline_taxonomy::{Coordination, Mark, Wire};
/// let wire = Wire::of(&Mark::new(Coordination::LockTimeout));
/// let json = serde_json::to_string(&wire)?;
/// assert!(json.contains(r#""legacyCode":"OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT""#));
/// assert_eq!(serde_json::from_str::<Wire>(&json)?, wire);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wire {
    /// Schema version; a reader accepts any and reads what it knows.
    #[serde(default)]
    pub version: u32,
    /// The class.
    pub code: WireCode,
    /// The word before the dot of `code`.
    pub domain: String,
    /// For people.
    pub message: String,
    /// May the failed call have had an effect?
    #[serde(default)]
    pub effect: Effect,
    /// When another try makes sense, as the failed side stated it, in milliseconds.
    #[serde(default)]
    pub retry_after_ms: Option<u64>,
    /// The lock's owner, for lock errors.
    #[serde(default)]
    pub owner: Option<Owner>,
    /// The lock's path, for lock errors.
    #[serde(default)]
    pub lock_path: Option<String>,
    /// Why a lock is called stale.
    #[serde(default)]
    pub stale_reasons: Vec<String>,
    /// How long the caller waited, in milliseconds.
    #[serde(default)]
    pub waited_ms: Option<u64>,
    /// The chain beneath, outermost first.
    #[serde(default)]
    pub causes: Vec<Cause>,
    /// What older programs call this code.
    #[serde(default)]
    pub legacy_code: Option<String>,
}

impl Wire {
    /// A bare wire error.
    pub fn new(code: impl Into<Code>, message: impl Into<String>) -> Self {
        let code = code.into();
        Self {
            version: VERSION,
            code: WireCode::Known(code),
            domain: code.domain().as_str().to_owned(),
            message: cut(message.into()),
            effect: Effect::None,
            retry_after_ms: None,
            owner: None,
            lock_path: None,
            stale_reasons: Vec::new(),
            waited_ms: None,
            causes: Vec::new(),
            legacy_code: code.legacy().map(str::to_owned),
        }
    }

    /// The wire form of any error: its mark gives the class, its chain the causes. An error without a mark is
    /// `local.unclassified`.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        // An error that came over the wire goes on as it came.
        if let Some(remote) = find::<RemoteError>(error) {
            return remote.wire.clone();
        }
        let mark = Mark::find(error);
        let mut wire = Self::new(mark.map_or(Code::Local(Local::Unclassified), Mark::code), error.to_string());
        if let Some(mark) = mark {
            wire.effect = mark.effect();
            wire.retry_after_ms = mark.retry_after().map(millis);
        }
        let mut next = error.source();
        while let Some(cause) = next.filter(|_| wire.causes.len() < MAX_CAUSES) {
            // The outermost mark is already `code`.
            if !cause.is::<Mark>() {
                let code = cause.downcast_ref::<RemoteError>().map(|remote| remote.wire.code.clone());
                wire.causes.push(Cause { code, message: cut(cause.to_string()) });
            } else if let Some(inner) = cause.downcast_ref::<Mark>().filter(|inner| {
                mark.is_some_and(|outer| !std::ptr::eq(outer, *inner))
            }) {
                wire.causes.push(Cause { code: Some(WireCode::Known(inner.code())), message: String::new() });
            }
            next = cause.source();
        }
        wire
    }

    /// Milliseconds of `delay` as the wire states them.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_ms.map(Duration::from_millis)
    }
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    for _ in 0..MAX_CAUSES {
        let error = next?;
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_MESSAGE {
        text.truncate(text.floor_char_boundary(MAX_MESSAGE));
        text.push('…');
    }
    text
}

/// An error that came over the wire, as an `Error` again. Its code is found by [`Mark::find`] where it is known.
#[derive(Debug)]
pub struct RemoteError {
    wire: Wire,
    mark: Option<Mark>,
}

impl RemoteError {
    /// The wire form it came in.
    #[must_use]
    pub fn wire(&self) -> &Wire {
        &self.wire
    }
}

impl From<Wire> for RemoteError {
    fn from(wire: Wire) -> Self {
        let mark = wire.code.known().map(|code| {
            let mark = Mark::new(code).effect_is(wire.effect);
            match wire.retry_after() {
                Some(delay) => mark.retry_after_is(delay),
                None => mark,
            }
        });
        Self { wire, mark }
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.wire.message)
    }
}

impl Error for RemoteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.mark.as_ref().map(|mark| mark as &(dyn Error + 'static))
    }
}
