//! What the chain does about one verdict: a pure function of the verdict, the state and the time.
//!
//! The policy table of the taxonomy says which of stop, next, retry and repair a class means; nothing in here says it
//! again. What this function adds is what a table over codes cannot know: whether something was shown already, whether
//! a wait is short, whether tries and budget are left, and whether this is the last healthy candidate.

use std::time::{Duration, SystemTime};

use moorline_taxonomy::{Code, Effect, FailoverVerdict, Request, RunnerVerdict, policy};

use crate::verdict::{Retry, Verdict, may_retry};

/// How much the chain tries.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Calls of one candidate in one run, the first included.
    pub tries_per_candidate: u32,
    /// Calls of one run in all.
    pub tries: u32,
    /// The longest stated wait that is waited out while another candidate is ready.
    pub short_wait: Duration,
    /// The longest stated wait that is waited out at all; beyond it the run ends with the time it could go on.
    pub longest_wait: Duration,
    /// No call is begun after this long.
    pub deadline: Option<Duration>,
    /// How long one probe keeps others out; [`LONGEST_LEASE`](crate::LONGEST_LEASE) at most.
    pub probe_lease: Duration,
}

impl Default for Limits {
    /// Two tries per candidate, twelve in all, waits of up to 5 s while others are ready and 5 minutes otherwise.
    fn default() -> Self {
        Self {
            tries_per_candidate: 2,
            tries: 12,
            short_wait: Duration::from_secs(5),
            longest_wait: Duration::from_secs(300),
            deadline: None,
            probe_lease: Duration::from_secs(30),
        }
    }
}

/// What the chain knows when a call has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Calls of this candidate so far in this run, this one included.
    pub tries: u32,
    /// Whether output was shown before the failure.
    pub streamed: bool,
    /// Whether another candidate that fits is ready.
    pub others_ready: bool,
    /// Whether a candidate is left that fits what this one could not take.
    pub larger_ready: bool,
    /// Whether somebody decided that refusals for content may go on.
    pub failover_on_content_policy: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The same candidate again, after this wait. `None`: a delay of the chain's own choosing.
    Again {
        /// The stated wait.
        wait: Option<Duration>,
    },
    /// The next candidate.
    Next {
        /// Whether the failed scope cools. Never for the last healthy candidate where nothing was stated.
        cool: bool,
    },
    /// Only a candidate that fits better.
    Larger,
    /// The run ends.
    Stop(StopReason),
}

/// Why a run ends although candidates may be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The class is nothing that another candidate changes.
    Class,
    /// Output was shown already; a silent replay would show it twice.
    Streamed,
    /// The request must be repaired, and no candidate fits it as it is.
    Repair,
}

impl Decision {
    /// The word in records and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Again { .. } => "again",
            Self::Next { .. } => "next",
            Self::Larger => "larger",
            Self::Stop(StopReason::Class) => "stop",
            Self::Stop(StopReason::Streamed) => "stop-streamed",
            Self::Stop(StopReason::Repair) => "stop-repair",
        }
    }
}

/// What the chain does about a verdict.
///
/// ```
/// use moorline_failover::{Decision, Limits, Signal, State, classify, decide};
/// use std::time::SystemTime;
/// let verdict = classify(&Signal::status(402).from_provider("openai"));
/// let state = State { tries: 1, streamed: false, others_ready: true, larger_ready: false,
///     failover_on_content_policy: false };
/// assert_eq!(decide(&verdict, &state, &Limits::default(), SystemTime::UNIX_EPOCH), Decision::Next { cool: true });
/// ```
#[must_use]
pub fn decide(verdict: &Verdict, state: &State, limits: &Limits, now: SystemTime) -> Decision {
    let effect = if state.streamed { Effect::Possible } else { Effect::None };
    let verdicts = policy(verdict.code, effect);
    let opted_in = verdict.code == Code::Request(Request::ContentPolicy) && state.failover_on_content_policy;
    match verdicts.failover {
        FailoverVerdict::Stop if !verdict.model_specific && !opted_in => Decision::Stop(StopReason::Class),
        FailoverVerdict::Stop | FailoverVerdict::Repair | FailoverVerdict::Retry | FailoverVerdict::Next
            if state.streamed =>
        {
            Decision::Stop(StopReason::Streamed)
        }
        FailoverVerdict::Stop => Decision::Next { cool: false },
        FailoverVerdict::Repair if state.larger_ready => Decision::Larger,
        FailoverVerdict::Repair => Decision::Stop(StopReason::Repair),
        FailoverVerdict::Retry => Decision::Again { wait: None },
        FailoverVerdict::Next => match again(verdict, verdicts.runner, state, limits, now) {
            Some(wait) => Decision::Again { wait },
            None => Decision::Next { cool: cools(verdict, state) },
        },
    }
}

/// Whether the same candidate is worth another try, and after which stated wait.
fn again(
    verdict: &Verdict,
    runner: RunnerVerdict,
    state: &State,
    limits: &Limits,
    now: SystemTime,
) -> Option<Option<Duration>> {
    if state.tries >= limits.tries_per_candidate || verdict.retry == Retry::Forbidden {
        return None;
    }
    let longest = if state.others_ready { limits.short_wait } else { limits.longest_wait };
    let stated = verdict.retry.wait(now);
    match runner {
        // A throttle without a stated time is not waited out: nobody knows how long that is.
        RunnerVerdict::Wait => stated.filter(|wait| *wait <= longest).map(Some),
        RunnerVerdict::Retry => match stated {
            Some(wait) if wait > longest => None,
            stated => Some(stated),
        },
        RunnerVerdict::Surface | RunnerVerdict::Takeover | RunnerVerdict::Stop | RunnerVerdict::Repair => {
            None
        }
    }
}

/// A stated time and a refusal are facts and always cool. A passing failure without a stated time is a guess, and a
/// guess must not take the last healthy candidate away.
fn cools(verdict: &Verdict, state: &State) -> bool {
    let is_fact = verdict.stated.is_some() || !may_retry(verdict.code);
    is_fact || state.others_ready
}
