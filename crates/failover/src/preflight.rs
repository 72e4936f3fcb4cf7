//! Whether a candidate is worth a call, before a call is spent: window, size, capabilities, cooldowns.

use std::time::SystemTime;

use crate::{
    candidate::{Candidate, Capability, Needs},
    cooldown::{Cooldown, Key, Why},
};

/// Why a candidate is not called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The request does not fit its window.
    Window {
        /// Tokens that are needed.
        needs: u64,
        /// Tokens that there are.
        has: u64,
    },
    /// The request has more bytes than it takes.
    Size {
        /// Bytes that are needed.
        needs: u64,
        /// Bytes that are taken.
        takes: u64,
    },
    /// The request was too much for another candidate, and this one is not known to take more.
    NotLarger,
    /// It cannot do something.
    Lacks(Capability),
    /// It is left alone.
    Cooling {
        /// Until when.
        until: SystemTime,
        /// Why.
        why: Why,
    },
    /// Its cooldown has ended, and somebody else is finding out whether it is well.
    Probed {
        /// When the probe ends at the latest.
        until: SystemTime,
    },
}

impl Skip {
    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Window { .. } => "window",
            Self::Size { .. } => "size",
            Self::NotLarger => "not_larger",
            Self::Lacks(_) => "capability",
            Self::Cooling { .. } => "cooling",
            Self::Probed { .. } => "probed",
        }
    }

    /// When the candidate may be called again, where that is a matter of time.
    #[must_use]
    pub const fn until(&self) -> Option<SystemTime> {
        match self {
            Self::Cooling { until, .. } | Self::Probed { until } => Some(*until),
            Self::Window { .. } | Self::Size { .. } | Self::NotLarger | Self::Lacks(_) => None,
        }
    }
}

/// What preflight says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preflight {
    /// Call it.
    Ready,
    /// Its cooldown has ended and one call has to prove it; claim this key first.
    Probe(Key),
    /// Do not call it.
    Skip(Skip),
}

/// Whether a candidate is worth a call now.
#[must_use]
pub fn preflight(candidate: &Candidate, needs: &Needs, cooldowns: &[Cooldown], now: SystemTime) -> Preflight {
    if let Some(skip) = misfit(candidate, needs) {
        return Preflight::Skip(skip);
    }
    let mut probe = None;
    let mut cooling: Option<(SystemTime, Why)> = None;
    for cooldown in cooldowns.iter().filter(|cooldown| cooldown.key.covers(candidate)) {
        let remaining = cooldown.remaining(now);
        if !remaining.is_zero() {
            let until = now + remaining;
            // The longest one counts: only when all have ended is there something to try.
            if cooling.is_none_or(|(known, _)| until > known) {
                cooling = Some((until, cooldown.why));
            }
        } else if cooldown.why.needs_probe() {
            probe = Some(cooldown.key.clone());
        }
    }
    match (cooling, probe) {
        (Some((until, why)), _) => Preflight::Skip(Skip::Cooling { until, why }),
        (None, Some(key)) => Preflight::Probe(key),
        (None, None) => Preflight::Ready,
    }
}

fn misfit(candidate: &Candidate, needs: &Needs) -> Option<Skip> {
    if let Some(capability) = candidate.capabilities().missing(needs.capabilities) {
        return Some(Skip::Lacks(capability));
    }
    let window = candidate.window().filter(|window| needs.tokens > *window);
    let bytes = candidate.max_request_bytes().filter(|bytes| needs.request_bytes > *bytes);
    match (window, bytes) {
        (Some(has), _) => Some(Skip::Window { needs: needs.tokens, has }),
        (None, Some(takes)) => Some(Skip::Size { needs: needs.request_bytes, takes }),
        (None, None) => None,
    }
}
