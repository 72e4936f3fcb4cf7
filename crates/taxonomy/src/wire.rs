//! The wire form: one JSON schema for an error, the same in process, over RPC and in logs.
//!
//! Text is never the carrier of the class: `code` is. A reader that meets a code of a newer version keeps its string
//! ([`WireCode::Other`]) and passes it on unharmed. The option not taken is an enum of payloads, one per code: a reader
//! would then have to know a code before it could show its message.
//!
//! What must stay true: every key is always written, so that a reader need not tell absent from null; reading accepts
//! what it does not know and never fails on an optional key; messages are redacted when they are put in, and bounded always.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Code, Effect, redact::redact};

/// The version of the schema that this crate writes.
const VERSION: u32 = 1;
/// Causes kept; a longer chain is cut.
pub(crate) const MAX_CAUSES: usize = 32;
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

impl From<&str> for WireCode {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Other(text.to_owned()), Self::Known)
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
        std::borrow::Cow::<'de, str>::deserialize(deserializer).map(|text| Self::from(&*text))
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
    #[serde(default)]
    pub code: Option<WireCode>,
    /// What the link says.
    #[serde(default)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wire {
    /// Schema version; a reader accepts any and reads what it knows.
    pub version: u32,
    /// The class.
    pub code: WireCode,
    /// The word before the dot of `code`.
    pub domain: String,
    /// For people.
    pub message: String,
    /// May the failed call have had an effect?
    pub effect: Effect,
    /// When another try makes sense, as the failed side stated it, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The lock's owner, for lock errors.
    pub owner: Option<Owner>,
    /// The lock's path, for lock errors.
    pub lock_path: Option<String>,
    /// Why a lock is called stale.
    pub stale_reasons: Vec<String>,
    /// How long the caller waited, in milliseconds.
    pub waited_ms: Option<u64>,
    /// The chain beneath, outermost first.
    pub causes: Vec<Cause>,
    /// What older programs call this code.
    pub legacy_code: Option<String>,
}

impl Wire {
    /// A bare wire error. The message is redacted and cut to 4 KiB.
    pub fn new(code: impl Into<Code>, message: impl Into<String>) -> Self {
        Self::with_code(WireCode::Known(code.into()), clean(&message.into()))
    }

    pub(crate) fn with_code(code: WireCode, message: String) -> Self {
        let domain = match &code {
            WireCode::Known(code) => code.domain().as_str().to_owned(),
            WireCode::Other(code) => code.split('.').next().unwrap_or_default().to_owned(),
        };
        let legacy_code = code.known().and_then(Code::legacy).map(str::to_owned);
        Self {
            version: VERSION,
            code,
            domain,
            message,
            effect: Effect::None,
            retry_after_ms: None,
            owner: None,
            lock_path: None,
            stale_reasons: Vec::new(),
            waited_ms: None,
            causes: Vec::new(),
            legacy_code,
        }
    }

    /// When another try makes sense, as the failed side stated it.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_ms.map(Duration::from_millis)
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `message` as it may go on the wire: bounded and without the secrets that can be recognised.
pub(crate) fn clean(message: &str) -> String {
    // Twice the length is looked at, so that a secret across the cut is recognised before it is cut.
    let looked_at = head(message, 2 * MAX_MESSAGE);
    let text = redact(looked_at);
    if looked_at.len() == message.len() { bounded(&text) } else { cut(&text) }
}

/// `message` as it was, if it is not too long.
pub(crate) fn bounded(message: &str) -> String {
    if message.len() <= MAX_MESSAGE { message.to_owned() } else { cut(message) }
}

fn cut(text: &str) -> String {
    const MARK: &str = "…";
    format!("{}{MARK}", head(text, MAX_MESSAGE - MARK.len()))
}

/// The first `most` bytes of `text`, or a little less where that would split a character.
pub(crate) fn head(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
