//! Records: what the chain did, one per call and one per candidate it did not call.

use std::{error::Error, fmt, time::Duration};

use crate::{candidate::Candidate, decide::Decision, failure::CallError, preflight::Skip};

/// One step of a run.
#[derive(Debug)]
pub struct Record {
    /// The candidate it is about.
    pub candidate: Candidate,
    /// What happened.
    pub event: Event,
    /// The candidate that came next, where there was one.
    pub to: Option<Candidate>,
    /// How long was waited before the next call.
    pub wait: Duration,
    /// How long the call took.
    pub took: Duration,
    /// What the call cost, in the caller's unit; see [`Attempt::spent`](crate::Attempt::spent).
    pub cost: u64,
    /// What the cooldown store could not do, where it failed. The chain went on without it.
    pub store_error: Option<String>,
}

/// What happened to a candidate.
#[derive(Debug)]
pub enum Event {
    /// It was not called.
    Skipped(Skip),
    /// It was called and failed.
    Failed {
        /// The failure, with its whole cause chain.
        error: CallError,
        /// What was decided.
        decision: Decision,
    },
    /// It was called and answered.
    Served,
}

impl Record {
    pub(crate) fn new(candidate: &Candidate, event: Event) -> Self {
        Self {
            candidate: candidate.clone(),
            event,
            to: None,
            wait: Duration::ZERO,
            took: Duration::ZERO,
            cost: 0,
            store_error: None,
        }
    }

    /// The failure, where the candidate was called and failed.
    #[must_use]
    pub fn error(&self) -> Option<&CallError> {
        match &self.event {
            Event::Failed { error, .. } => Some(error),
            Event::Skipped(_) | Event::Served => None,
        }
    }

    /// Whether the candidate counts as tried: its provider was called and failed.
    #[must_use]
    pub fn is_consumed(&self) -> bool {
        match &self.event {
            Event::Failed { error, .. } => error.verdict().is_some(),
            Event::Skipped(_) | Event::Served => false,
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.candidate)?;
        match &self.event {
            Event::Skipped(Skip::NotLarger) => f.write_str("takes no more than the one before"),
            Event::Skipped(Skip::Window { needs, has }) => write!(f, "window of {has} tokens, needs {needs}"),
            Event::Skipped(Skip::Size { needs, takes }) => write!(f, "takes {takes} bytes, needs {needs}"),
            Event::Skipped(Skip::Lacks(capability)) => write!(f, "cannot do {}", capability.as_str()),
            Event::Skipped(Skip::Cooling { why, .. }) => write!(f, "cooling ({})", why.as_str()),
            Event::Skipped(Skip::Probed { .. }) => f.write_str("being probed by another call"),
            Event::Failed { error, decision } => {
                write!(f, "{} -> {}", error.code(), decision.as_str())?;
                match error.verdict() {
                    Some(verdict) => {
                        write!(f, " (rule {}, {}, {})", verdict.rule, verdict.evidence, verdict.certainty)
                    }
                    None => Ok(()),
                }
            }
            Event::Served => f.write_str("served"),
        }
    }
}

/// One link of the causes of a failed run: every error beneath every call, flattened in order, since a source chain
/// is one line and a run has many. The errors themselves are in the records.
#[derive(Debug)]
pub(crate) struct Link {
    text: String,
    next: Option<Box<Link>>,
}

impl Link {
    /// The causes of all records, in the order in which they happened.
    pub(crate) fn chain(records: &[Record]) -> Option<Box<Self>> {
        let mut texts = Vec::new();
        for record in records {
            let Some(error) = record.error() else { continue };
            texts.push(record.to_string());
            let mut next = error.source();
            // Real chains are short; a cyclic one ends here.
            for _ in 0..MAX_CAUSES {
                let Some(cause) = next else { break };
                texts.push(cause.to_string());
                next = cause.source();
            }
        }
        texts.into_iter().rev().fold(None, |next, text| Some(Box::new(Self { text, next })))
    }
}

/// Causes kept of one call.
const MAX_CAUSES: usize = 64;

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Link {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.next.as_deref().map(|next| next as &(dyn Error + 'static))
    }
}
