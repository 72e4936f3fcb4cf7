//! The driver: finds what is due and delivers it, a few at a time and at a steady pace.
//!
//! One loop, no tasks: the host spawns the future, and everything under way lives inside it. A backlog is read a row at
//! a time, so memory stays flat; one message per requester at a time, so a burst for one session does not starve the
//! others; a least time between starts, so ten thousand rows that fall due together are no herd. It sleeps on the
//! monotonic clock until the next row is due, a change, or the stop.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use crate::{AnnounceError, AnnounceFault, Announcer, Busy, Event, Filter, Row, State, in_flight::InFlight};

/// The longest sleep, so that a wall clock that was set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// How often settled rows are forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(60 * 60);

/// One row's work, ended: whose it was, and how it went.
type Ended = (String, Result<Row, AnnounceError>);

impl Announcer {
    /// Delivers what the outbox holds until `stop` completes.
    ///
    /// Begins with what a crash left behind: rows found *sending* become *uncertain* and are looked up. After the stop
    /// nothing new starts, and what is under way has [`Limits::drain`](crate::Limits::drain) to end.
    ///
    /// Dropping the future is safe: what was being sent is found by the next drive and looked up, not resent.
    ///
    /// # Errors
    /// It is being driven already, or the outbox failed for longer than it was retried. Rows are as the outbox last
    /// kept them; driving again goes on.
    pub async fn drive(&self, stop: impl Future<Output = ()> + Send) -> Result<(), AnnounceError> {
        if self.driven.swap(true, Ordering::AcqRel) {
            return Err(AnnounceFault::Driven.into());
        }
        let _driven = Driven(self);
        let mut stop = std::pin::pin!(stop);
        let mut work =
            Work { announcer: self, in_flight: InFlight::new(), requesters: Vec::new(), next_start: None };
        self.recover().await?;
        let mut housekeeping = self.clock.now();
        loop {
            if self.clock.now() >= housekeeping {
                let before = self.now().minus(self.limits.retention);
                let forgotten =
                    self.stored("forgetting old announces", || self.outbox.forget(before)).await?;
                tracing::debug!(forgotten, "announce housekeeping");
                housekeeping = self.clock.now() + HOUSEKEEPING;
            }
            // Registered before the outbox is read, so that a change in between is not missed.
            let changed = self.changed.notified();
            let wake = work.start_due().await?.min(housekeeping);
            tokio::select! {
                biased;
                () = &mut stop => break,
                ended = work.in_flight.next() => work.end(ended)?,
                () = changed => {}
                () = self.clock.sleep_until(wake) => {}
            }
        }
        work.drain().await
    }

    /// What a crash left behind.
    async fn recover(&self) -> Result<(), AnnounceError> {
        let filter = Filter { states: vec![State::Sending], ..Filter::default() };
        for row in self.list(&filter).await? {
            self.advance(row, Event::Restarted).await?;
        }
        Ok(())
    }
}

/// Says that nobody drives any more, however the drive ended.
struct Driven<'a>(&'a Announcer);

impl Drop for Driven<'_> {
    fn drop(&mut self) {
        self.0.driven.store(false, Ordering::Release);
    }
}

struct Work<'a> {
    announcer: &'a Announcer,
    in_flight: InFlight<'a, Ended>,
    /// Whose messages are under way.
    requesters: Vec<String>,
    /// When the next start is allowed.
    next_start: Option<Instant>,
}

impl Work<'_> {
    /// Starts what is due, as far as limits allow, and says when to look again.
    async fn start_due(&mut self) -> Result<Instant, AnnounceError> {
        let announcer = self.announcer;
        loop {
            let now = announcer.clock.now();
            let latest = now + LONGEST_SLEEP;
            let (channels, first_resumes) = announcer.paused_channels(now);
            let resumes = first_resumes.unwrap_or(latest).min(latest);
            if self.in_flight.len() >= announcer.limits.at_once {
                // The next end wakes the loop.
                return Ok(resumes);
            }
            if let Some(start) = self.next_start.filter(|start| *start > now) {
                return Ok(start);
            }
            let busy = Busy { requesters: self.requesters.clone(), channels };
            let wall = announcer.now();
            let due =
                announcer.stored("finding due announces", || announcer.outbox.due(wall, &busy, 1)).await?;
            let Some(row) = due.into_iter().next() else {
                let next =
                    announcer.stored("finding due announces", || announcer.outbox.next_due(wall)).await?;
                let next = next.map_or(latest, |next| now + next.since(wall).min(LONGEST_SLEEP));
                return Ok(next.min(resumes));
            };
            self.start(row, now);
        }
    }

    fn start(&mut self, row: Row, now: Instant) {
        let announcer = self.announcer;
        self.next_start = Some(now + announcer.limits.start_every);
        let requester = row.key.requester().to_owned();
        self.requesters.push(requester.clone());
        self.in_flight.push(async move { (requester, announcer.advance(row, Event::Due).await) });
    }

    fn end(&mut self, (requester, outcome): Ended) -> Result<(), AnnounceError> {
        self.requesters.retain(|busy| *busy != requester);
        outcome.map(drop)
    }

    /// Lets what is under way end, for as long as the limits allow.
    async fn drain(mut self) -> Result<(), AnnounceError> {
        let until = self.announcer.clock.now() + self.announcer.limits.drain;
        while self.in_flight.len() > 0 {
            tokio::select! {
                biased;
                ended = self.in_flight.next() => self.end(ended)?,
                () = self.announcer.clock.sleep_until(until) => {
                    tracing::warn!(left = self.in_flight.len(), "announces left for the next start to look up");
                    break;
                }
            }
        }
        Ok(())
    }
}
