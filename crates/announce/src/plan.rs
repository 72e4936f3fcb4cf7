//! The plan: from a row, what happened to it, and the time, to the row's next version and what to do then.
//!
//! Pure: no clock, no I/O, no randomness (the delay is drawn before). Everything that makes delivery *at most once* is
//! decided here and nowhere else:
//!
//! - a send begins only from *prepared*, and *sending* is written first;
//! - what may have been seen becomes *uncertain*, and leaves it only by the receiver's word;
//! - evidence of delivery wins over any other plan, whenever it comes in;
//! - a terminal row stays as it is, but for an operator.
//!
//! The option not taken is to resend after a timeout and to rely on receivers that deduplicate: channels do not.

use moorline_taxonomy::{AnnounceVerdict, Cancelled, Code, Delivery, Effect, Wire, policy};

use crate::{
    Body, Envelope, Event, Evidence, Failure, Happened, Key, Limits, Lookup, Progress, Receipt, Row, State,
    Timestamp, Waiting,
    draft::{Draft, uncertain},
    is_silent,
};

/// What to do about a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The next version of the row, to be written before anything else. `None`: nothing changes and nothing is done.
    pub row: Option<Row>,
    /// A notice to the requester, to be prepared in the same write.
    pub notice: Option<Row>,
    /// What to do once it is written.
    pub then: Then,
}

/// What to do once a row is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing, until the row is due or something else happens.
    Wait,
    /// Send it.
    Send,
    /// Ask the receiver.
    Ask,
}

/// The first version of a row. Nothing to say settles at once, and is kept so that asking twice finds it.
#[must_use]
pub fn prepare(key: Key, envelope: Envelope, now: Timestamp, limits: &Limits) -> Row {
    let silent = match &envelope.body {
        Body::Result(text) => is_silent(text),
        Body::GaveUp(_) => false,
    };
    Row {
        seq: 0,
        version: 1,
        key,
        envelope,
        state: if silent { State::Silent } else { State::Prepared },
        waiting: Waiting::Turn,
        doubt: false,
        moved: false,
        sends: 0,
        lookups: 0,
        created_at: now,
        updated_at: now,
        due_at: now,
        expires_at: now.plus(limits.expiry),
        settled_at: silent.then_some(now),
        history: Vec::new(),
    }
}

/// What to do about `row` after `evidence`, at `now`.
#[must_use]
pub fn plan(row: &Row, evidence: &Evidence, now: Timestamp, limits: &Limits) -> Step {
    let draft = Draft::after(row, now, evidence.pause, limits);
    if row.state.is_terminal() {
        return match &evidence.event {
            Event::Retry => reopen(draft),
            Event::Due
            | Event::Restarted
            | Event::Sent(_)
            | Event::LookedUp(_)
            | Event::RequesterIdle
            | Event::Dismiss => keep(),
        };
    }
    match &evidence.event {
        Event::Due => due(row, draft),
        Event::Restarted => match row.state {
            State::Sending => draft.record(Happened::Interrupted, None, None).ask_at_once(),
            State::Prepared
            | State::Uncertain
            | State::Delivered
            | State::Rejected
            | State::Silent
            | State::Expired => keep(),
        },
        Event::Sent(Ok(receipt)) => received(draft, *receipt),
        Event::Sent(Err(failure)) => match row.state {
            State::Sending => failed(draft, failure),
            // The row has moved on without this send, so its failure says nothing new.
            State::Prepared
            | State::Uncertain
            | State::Delivered
            | State::Rejected
            | State::Silent
            | State::Expired => keep(),
        },
        Event::LookedUp(Ok(lookup)) => looked_up(row, draft, *lookup),
        Event::LookedUp(Err(failure)) => match row.state {
            State::Uncertain => {
                let draft = draft.record(Happened::LookupFailed, None, Some(failure));
                let pause = draft.pause.max(failure.retry_after.unwrap_or_default());
                draft.confirm_or_expire(pause, true)
            }
            State::Prepared
            | State::Sending
            | State::Delivered
            | State::Rejected
            | State::Silent
            | State::Expired => keep(),
        },
        Event::RequesterIdle => match row.waiting {
            // A stated pause is the channel's word, and a parked row waits for a model and not for the session.
            Waiting::Stated | Waiting::Parked | Waiting::Turn => keep(),
            Waiting::Backoff | Waiting::Busy | Waiting::Confirmation => hasten(row, draft),
        },
        Event::Retry => hasten(row, draft.record(Happened::Retried, None, None)),
        Event::Dismiss => match row.state {
            // Its receipt is not in, so nobody can say what would be dismissed.
            State::Sending => keep(),
            State::Prepared
            | State::Uncertain
            | State::Delivered
            | State::Rejected
            | State::Silent
            | State::Expired => {
                let mut draft = draft.record(Happened::Dismissed, None, None);
                draft.blame(Wire::new(Cancelled::User, "dismissed by an operator"));
                draft.settle(State::Rejected)
            }
        },
    }
}

fn keep() -> Step {
    Step { row: None, notice: None, then: Then::Wait }
}

fn due(row: &Row, draft: Draft<'_>) -> Step {
    let moved_back = row.updated_at > draft.now;
    if draft.row.due_at > draft.now {
        // Only a clock that went back needs a write.
        return if moved_back { draft.write(Then::Wait) } else { keep() };
    }
    match row.state {
        State::Prepared if nothing_to_send(row) => draft.settle(State::Silent),
        State::Prepared => draft.send(),
        State::Uncertain => draft.ask(),
        State::Sending | State::Delivered | State::Rejected | State::Silent | State::Expired => keep(),
    }
}

/// A row whose payload is empty was not made by [`prepare`]; a store may still hold one.
fn nothing_to_send(row: &Row) -> bool {
    row.result().is_some_and(is_silent)
}

fn received(draft: Draft<'_>, receipt: Receipt) -> Step {
    let path = Some(receipt.path);
    match receipt.progress {
        Progress::Delivered => draft.record(Happened::Delivered, path, None).settle(State::Delivered),
        Progress::SaidNothing => draft.record(Happened::SaidNothing, path, None).settle(State::Silent),
        Progress::Accepted => {
            let draft = draft.record(Happened::Accepted, path, None);
            let pause = draft.pause;
            draft.confirm(pause)
        }
    }
}

fn failed(mut draft: Draft<'_>, failure: &Failure) -> Step {
    let seen = failure.effect != Effect::None;
    draft.row.doubt = seen;
    let happened = if seen { Happened::Broke } else { Happened::Refused };
    if !seen && failure.code == Code::Delivery(Delivery::TargetMoved) {
        return moved(draft, failure);
    }
    if let Some(until) = failure.parked_until.filter(|_| !seen) {
        return draft.record(Happened::Parked, None, Some(failure)).park(until);
    }
    let draft = draft.record(happened, None, Some(failure));
    match policy(failure.code, failure.effect).announce {
        AnnounceVerdict::Retry => draft.retry(failure),
        // A refusal that may have been seen all the same is no refusal.
        AnnounceVerdict::Permanent | AnnounceVerdict::Stop if seen => draft.reconcile(),
        AnnounceVerdict::Permanent => draft.settle(State::Rejected),
        // Ended from outside, before anything was sent: the announce itself is as good as before.
        AnnounceVerdict::Stop => draft.retry(failure),
        // "None" is neither a reason to send again nor to settle, so the receiver is asked.
        AnnounceVerdict::Reconcile | AnnounceVerdict::None => draft.reconcile(),
    }
}

/// A target that moved: the new address once, and no chase.
fn moved(draft: Draft<'_>, failure: &Failure) -> Step {
    let mut draft = draft.record(Happened::Moved, None, Some(failure));
    match &failure.moved_to {
        Some(address) if !draft.row.moved => {
            draft.row.envelope.to.clone_from(address);
            draft.row.moved = true;
            draft.again_at_once()
        }
        Some(_) | None => draft.settle(State::Rejected),
    }
}

fn looked_up(row: &Row, draft: Draft<'_>, lookup: Lookup) -> Step {
    match lookup {
        // Evidence of delivery wins, whatever the row was about to do.
        Lookup::Delivered => return draft.record(Happened::Delivered, None, None).settle(State::Delivered),
        Lookup::SaidNothing => return draft.record(Happened::SaidNothing, None, None).settle(State::Silent),
        Lookup::Accepted | Lookup::Absent | Lookup::NotKnown | Lookup::NotKnowable => {}
    }
    if row.state != State::Uncertain {
        return keep();
    }
    let pause = draft.pause;
    match lookup {
        Lookup::Accepted => draft.record(Happened::Accepted, None, None).confirm_or_expire(pause, false),
        Lookup::Absent => draft.record(Happened::Absent, None, None).again_at_once(),
        Lookup::NotKnown => draft.record(Happened::NotKnown, None, None).confirm_or_expire(pause, true),
        Lookup::NotKnowable => {
            let mut draft = draft.record(Happened::NotKnowable, None, None);
            draft.blame(uncertain("the receiver keeps no record of what it got"));
            draft.settle(State::Expired)
        }
        Lookup::Delivered | Lookup::SaidNothing => keep(),
    }
}

/// Due now, unless it is being sent.
fn hasten(row: &Row, mut draft: Draft<'_>) -> Step {
    match row.state {
        State::Prepared | State::Uncertain => {
            draft.row.due_at = draft.now;
            draft.row.waiting = Waiting::Turn;
            draft.write(Then::Wait)
        }
        State::Sending | State::Delivered | State::Rejected | State::Silent | State::Expired => keep(),
    }
}

/// An operator's retry of a settled announce. What may have been seen is looked up first, as ever.
fn reopen(draft: Draft<'_>) -> Step {
    match draft.row.state {
        State::Rejected | State::Expired => {
            let mut draft = draft.record(Happened::Retried, None, None);
            draft.row.settled_at = None;
            draft.row.sends = 0;
            draft.row.lookups = 0;
            draft.row.moved = false;
            draft.row.expires_at = draft.now.plus(draft.limits.expiry);
            if draft.row.doubt { draft.ask_at_once() } else { draft.again_at_once() }
        }
        State::Prepared | State::Sending | State::Uncertain | State::Delivered | State::Silent => keep(),
    }
}
