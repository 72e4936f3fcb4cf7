//! The next version of a row while the plan makes it: each method is one way a row can go on.
//!
//! The plan says *which* way; here is what that way writes: the state, what it waits for, when it is due, what its
//! history says, and whether the limits allow it at all. Kept apart from the plan so that the plan reads as the
//! specification, and so that no way can be taken without its limits being checked.

use std::time::Duration;

use moorline_taxonomy::{Code, Delivery, Effect, Wire};

use crate::{
    Body, Envelope, Failure, GiveUp, Happened, Limits, Path, Record, Row, State, Step, Then, Timestamp,
    Waiting, prepare,
};

/// A cause that says nobody knows.
pub(crate) fn uncertain(why: &str) -> Wire {
    Wire { effect: Effect::Possible, ..Wire::new(Delivery::Uncertain, why) }
}

/// The next version of a row while it is made.
pub(crate) struct Draft<'a> {
    pub(crate) row: Row,
    pub(crate) now: Timestamp,
    pub(crate) pause: Duration,
    pub(crate) limits: &'a Limits,
}

impl<'a> Draft<'a> {
    /// The row as the next writer begins it. If the wall clock went back since the last write, every time in the row
    /// moves with it: waits keep their length instead of lasting until the old time comes round again.
    pub(crate) fn after(row: &Row, now: Timestamp, pause: Duration, limits: &'a Limits) -> Self {
        let ahead = row.updated_at.since(now);
        let row = Row {
            version: row.version + 1,
            updated_at: now,
            due_at: row.due_at.minus(ahead),
            expires_at: row.expires_at.minus(ahead),
            ..row.clone()
        };
        Self { row, now, pause, limits }
    }

    pub(crate) fn record(mut self, what: Happened, path: Option<Path>, failure: Option<&Failure>) -> Self {
        let cause = failure.map(|failure| failure.cause.clone());
        self.row.history.push(Record { at: self.now, what, path, cause });
        self
    }

    /// Gives the last record a cause.
    pub(crate) fn blame(&mut self, cause: Wire) {
        if let Some(record) = self.row.history.last_mut() {
            record.cause = Some(cause);
        }
    }

    pub(crate) fn write(self, then: Then) -> Step {
        Step { row: Some(self.row), notice: None, then }
    }

    /// Every way to *prepared* has checked the limits of sends.
    pub(crate) fn send(mut self) -> Step {
        self.row.state = State::Sending;
        self.row.waiting = Waiting::Turn;
        self.row.doubt = true;
        self.row.sends += 1;
        self.write(Then::Send)
    }

    pub(crate) fn ask(mut self) -> Step {
        if self.row.lookups >= self.limits.most_lookups {
            return self.expire();
        }
        self.row.lookups += 1;
        self.write(Then::Ask)
    }

    /// Refused, and worth another send.
    pub(crate) fn retry(mut self, failure: &Failure) -> Step {
        let stated = failure.retry_after.filter(|stated| *stated > self.pause);
        if self.out_of_sends() || (stated.is_none() && self.out_of_time()) {
            return self.expire();
        }
        self.row.state = State::Prepared;
        self.row.due_at = self.now.plus(self.pause);
        self.row.waiting = match failure.code {
            Code::Delivery(Delivery::Pending) => Waiting::Busy,
            Code::Delivery(
                Delivery::RateLimited
                | Delivery::Transient
                | Delivery::TargetGone
                | Delivery::TargetMoved
                | Delivery::Auth
                | Delivery::Payload
                | Delivery::Uncertain,
            )
            | Code::Coordination(_)
            | Code::Cancelled(_)
            | Code::Local(_)
            | Code::Request(_)
            | Code::Provider(_) => Waiting::Backoff,
        };
        if let Some(stated) = stated {
            if stated > self.limits.longest_stated {
                return self.expire();
            }
            self.row.waiting = Waiting::Stated;
            self.row.due_at = self.now.plus(stated);
            // The pause was asked for, so it is not the announce's time that passes.
            self.row.expires_at = self.row.expires_at.plus(stated);
        } else if self.row.sends >= self.limits.fewest_sends && self.row.expires_at > self.now {
            // The last try comes at the end of its time and not after it.
            self.row.due_at = self.row.due_at.min(self.row.expires_at);
        }
        self.write(Then::Wait)
    }

    pub(crate) fn park(mut self, until: Timestamp) -> Step {
        if self.out_of_sends() {
            return self.expire();
        }
        // A time that is over already still gets the ordinary delay, or parking would be a hot loop.
        let length = until.since(self.now).min(self.limits.longest_stated).max(self.pause);
        self.row.state = State::Prepared;
        self.row.waiting = Waiting::Parked;
        self.row.due_at = self.now.plus(length);
        self.row.expires_at = self.row.expires_at.plus(length);
        self.write(Then::Wait)
    }

    /// To be sent again now: it is proven that nobody has seen it.
    pub(crate) fn again_at_once(mut self) -> Step {
        self.row.doubt = false;
        if self.out_of_sends() || self.out_of_time() {
            return self.expire();
        }
        self.row.state = State::Prepared;
        self.row.waiting = Waiting::Turn;
        self.row.due_at = self.now;
        self.write(Then::Wait)
    }

    pub(crate) fn reconcile(self) -> Step {
        let pause = self.pause;
        self.confirm(pause)
    }

    pub(crate) fn ask_at_once(self) -> Step {
        self.confirm(Duration::ZERO)
    }

    /// Uncertain, and asked about after `pause`.
    pub(crate) fn confirm(mut self, pause: Duration) -> Step {
        self.row.state = State::Uncertain;
        self.row.waiting = Waiting::Confirmation;
        self.row.due_at = self.now.plus(pause);
        self.write(Then::Wait)
    }

    /// As [`Draft::confirm`], unless its time is over. A receiver that says it is still at work is waited for as long
    /// as lookups last.
    pub(crate) fn confirm_or_expire(mut self, pause: Duration, time_counts: bool) -> Step {
        if self.row.lookups >= self.limits.most_lookups || (time_counts && self.now >= self.row.expires_at) {
            self.row.history.push(Record { at: self.now, what: Happened::Expired, path: None, cause: None });
            self.blame(uncertain("nobody could say in time whether it was delivered"));
            return self.settle(State::Expired);
        }
        self.confirm(pause)
    }

    fn out_of_sends(&self) -> bool {
        self.row.sends >= self.limits.most_sends
    }

    fn out_of_time(&self) -> bool {
        self.row.sends >= self.limits.fewest_sends && self.now >= self.row.expires_at
    }

    fn expire(self) -> Step {
        self.record(Happened::Expired, None, None).settle(State::Expired)
    }

    /// Terminal. Whoever waits for a result that will not come is told so, once.
    pub(crate) fn settle(mut self, state: State) -> Step {
        self.row.state = state;
        self.row.waiting = Waiting::Turn;
        self.row.settled_at = Some(self.now);
        let dismissed = self.row.history.last().is_some_and(|record| record.what == Happened::Dismissed);
        let failed = match state {
            State::Rejected | State::Expired => !dismissed,
            State::Delivered | State::Silent => {
                self.row.doubt = false;
                false
            }
            State::Prepared | State::Sending | State::Uncertain => false,
        };
        let notice = if failed { self.notice(state) } else { None };
        Step { row: Some(self.row), notice, then: Then::Wait }
    }

    fn notice(&self, state: State) -> Option<Row> {
        // There is no notice about a notice.
        let result = self.row.result()?.to_owned();
        let cause = self.row.last_cause().cloned().unwrap_or_else(|| uncertain("no cause is known"));
        let give_up =
            GiveUp { of: self.row.key.clone(), state, cause, attempts: self.row.history.clone(), result };
        // To the requester itself, and past the channel that failed.
        let envelope = Envelope {
            to: self.row.key.requester().to_owned(),
            channel: String::new(),
            body: Body::GaveUp(Box::new(give_up)),
        };
        Some(prepare(self.row.key.give_up(), envelope, self.now, self.limits))
    }
}
