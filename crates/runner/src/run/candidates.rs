//! Which model is asked, and what is done when it fails.
//!
//! `decide` is pure: code and effect give the policy's verdicts, and the verdicts with what happened so far give the next
//! step. What must stay true: once the user has seen text, nothing is called again; an error that did not come from a
//! provider ends the walk, since no candidate is to blame.

use std::time::{Duration, Instant};

use moorline_retry::Clock;
use moorline_taxonomy::{Cause, Code, Effect, FailoverVerdict, Provider, RunnerVerdict, Wire, WireCode, policy};

use super::model::{Candidate, Model, ModelError, ModelReply, ModelRequest, StreamSink};

/// A stated delay up to this is waited for on the same candidate.
const SHORT: Duration = Duration::from_secs(20);
/// First pause before the same candidate is asked again; doubled each time.
const PAUSE: Duration = Duration::from_millis(500);

/// What happened with the candidate so far.
#[derive(Clone, Copy, Debug, Default)]
struct SoFar {
    retries: u32,
    waits: u32,
    streamed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Again { after: Duration },
    Next,
    Stop,
}

fn decide(code: Code, effect: Effect, stated: Option<Duration>, so_far: SoFar, left: Option<Duration>) -> Step {
    let verdicts = policy(code, effect);
    let next = match verdicts.failover {
        FailoverVerdict::Stop => Step::Stop,
        FailoverVerdict::Next | FailoverVerdict::Retry | FailoverVerdict::Repair => Step::Next,
    };
    if so_far.streamed {
        return Step::Stop;
    }
    let in_time = |after: Duration| left.is_none_or(|left| after < left);
    match verdicts.runner {
        RunnerVerdict::Takeover | RunnerVerdict::Stop => Step::Stop,
        RunnerVerdict::Surface | RunnerVerdict::Repair => next,
        RunnerVerdict::Wait => match stated {
            Some(after) if after <= SHORT && so_far.waits == 0 && in_time(after) => Step::Again { after },
            Some(_) | None => next,
        },
        RunnerVerdict::Retry => {
            let most = if code == Code::Provider(Provider::Unknown) { 1 } else { 2 };
            let after = stated.unwrap_or(PAUSE * 2_u32.pow(so_far.retries.min(8)));
            if so_far.retries < most && after <= SHORT && in_time(after) { Step::Again { after } } else { next }
        }
    }
}

/// An answer, and who gave it.
pub(super) struct Answer {
    pub(super) reply: ModelReply,
    pub(super) candidate: Candidate,
}

/// Nobody answered: the last error, with the earlier ones as its causes.
pub(super) struct Unanswered {
    pub(super) wire: Wire,
    pub(super) code: Code,
}

/// Notices whether the user has seen anything.
struct Watched<'a> {
    sink: &'a mut dyn StreamSink,
    streamed: bool,
}

impl StreamSink for Watched<'_> {
    fn text(&mut self, delta: &str) {
        self.streamed |= !delta.is_empty();
        self.sink.text(delta);
    }
}

/// Asks the candidates in order until one answers.
pub(super) async fn ask(
    model: &dyn Model,
    request: &mut ModelRequest,
    candidates: &[Candidate],
    sink: &mut dyn StreamSink,
    clock: &dyn Clock,
    deadline: Option<Instant>,
) -> Result<Answer, Unanswered> {
    let mut earlier: Vec<Cause> = Vec::new();
    let mut last: Option<Unanswered> = None;
    for candidate in candidates {
        request.candidate = candidate.clone();
        let mut so_far = SoFar::default();
        loop {
            let mut watched = Watched { sink: &mut *sink, streamed: false };
            let answered = match model.call(request, &mut watched).await {
                Ok(reply) if reply.text.is_empty() && reply.tool_calls.is_empty() => {
                    Err(ModelError::new(Provider::EmptyResponse, "the model answered without text or tool calls"))
                }
                other => other,
            };
            so_far.streamed |= watched.streamed;
            let error = match answered {
                Ok(reply) => return Ok(Answer { reply, candidate: candidate.clone() }),
                Err(error) => error,
            };
            let mark = error.mark();
            let (code, stated) = (mark.code(), mark.retry_after());
            let left = deadline.map(|deadline| deadline.saturating_duration_since(clock.now()));
            let step = decide(code, mark.effect(), stated, so_far, left);
            tracing::info!(
                provider = candidate.provider,
                model = candidate.model,
                %code,
                step = ?step,
                retries = so_far.retries,
                "a model call failed"
            );
            let wire = Wire::of(&error);
            if let Some(before) = last.replace(Unanswered { wire, code }) {
                earlier.push(Cause { code: Some(before.wire.code), message: before.wire.message });
            }
            match step {
                Step::Again { after } => {
                    match policy(code, Effect::None).runner {
                        RunnerVerdict::Wait => so_far.waits += 1,
                        RunnerVerdict::Surface
                        | RunnerVerdict::Takeover
                        | RunnerVerdict::Stop
                        | RunnerVerdict::Repair
                        | RunnerVerdict::Retry => so_far.retries += 1,
                    }
                    clock.sleep_until(clock.now() + after).await;
                }
                Step::Next => break,
                Step::Stop => return Err(with_earlier(last, earlier)),
            }
        }
    }
    Err(with_earlier(last, earlier))
}

fn with_earlier(last: Option<Unanswered>, earlier: Vec<Cause>) -> Unanswered {
    let mut last = last.unwrap_or_else(|| {
        let code = Code::Local(moorline_taxonomy::Local::Config);
        Unanswered { wire: Wire::new(code, "the turn names no model to ask"), code }
    });
    last.wire.causes.extend(earlier);
    last
}

/// Adds what went wrong beside the primary error.
pub(super) fn beside(wire: &mut Wire, code: Code, message: String) {
    wire.causes.push(Cause { code: Some(WireCode::Known(code)), message });
}

#[cfg(test)]
mod tests {
    use moorline_taxonomy::{Coordination, Local, Request};

    use super::*;

    #[test]
    fn the_steps_are_the_policy() {
        let fresh = SoFar::default();
        let tried = |retries| SoFar { retries, ..fresh };
        let second = Duration::from_secs(1);
        let again = |after| Step::Again { after };
        let cases: &[(Code, Option<Duration>, SoFar, Option<Duration>, Step)] = &[
            (Provider::Overloaded.into(), None, fresh, None, again(PAUSE)),
            (Provider::Overloaded.into(), None, tried(1), None, again(PAUSE * 2)),
            (Provider::Overloaded.into(), None, tried(2), None, Step::Next),
            (Provider::Overloaded.into(), None, fresh, Some(PAUSE / 2), Step::Next),
            (Provider::ServerError.into(), Some(second), fresh, None, again(second)),
            (Provider::ServerError.into(), Some(SHORT * 2), fresh, None, Step::Next),
            (Provider::Timeout.into(), None, SoFar { streamed: true, ..fresh }, None, Step::Stop),
            (Provider::Unknown.into(), None, fresh, None, again(PAUSE)),
            (Provider::Unknown.into(), None, tried(1), None, Step::Next),
            (Provider::RateLimit.into(), Some(second), fresh, None, again(second)),
            (Provider::RateLimit.into(), Some(second), SoFar { waits: 1, ..fresh }, None, Step::Next),
            (Provider::RateLimit.into(), Some(SHORT * 2), fresh, None, Step::Next),
            (Provider::RateLimit.into(), None, fresh, None, Step::Next),
            (Provider::Billing.into(), None, fresh, None, Step::Next),
            (Provider::Auth.into(), None, fresh, None, Step::Next),
            (Request::ContextOverflow.into(), None, fresh, None, Step::Next),
            (Request::Format.into(), None, fresh, None, Step::Stop),
            (Local::Bug.into(), None, fresh, None, Step::Stop),
            (Coordination::LockTimeout.into(), None, fresh, None, Step::Stop),
            (Coordination::SessionTakeover.into(), None, fresh, None, Step::Stop),
        ];
        for (code, stated, so_far, left, step) in cases {
            assert_eq!(decide(*code, Effect::None, *stated, *so_far, *left), *step, "{code} {stated:?} {so_far:?}");
        }
    }
}
