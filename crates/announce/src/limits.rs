//! How often, how long and how fast: the numbers of delivery, and which delay comes next.
//!
//! The defaults are DESIGN's. The delays begin short, because most refusals pass in seconds, and end long, because
//! what still fails after a minute fails for minutes.

use std::time::Duration;

use moorline_retry::{Schedule, ScheduleError};

use crate::{Event, Row};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The numbers of delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Delays between sends and between lookups: 5, 10, 20 s, then 15 s up to 5 min with jitter 0.2.
    pub delays: Schedule,
    /// Delays while the requester compacts: 1, 2, 4, 8 s, then as above.
    pub compaction_delays: Schedule,
    /// How long an announce lives: 30 min. Time for which a channel asked it to wait, or its candidates cooled, does
    /// not count.
    pub expiry: Duration,
    /// Sends that every announce gets before it may expire: 4. A gateway that was down for an hour, or a wall clock
    /// that jumped ahead, must not expire what nobody tried to deliver.
    pub fewest_sends: u32,
    /// Sends after which it is given up whatever the clock says: 32.
    pub most_sends: u32,
    /// Lookups after which it is given up: 64.
    pub most_lookups: u32,
    /// The longest pause a channel may ask for: 24 h. What asks for more is given up.
    pub longest_stated: Duration,
    /// How long a settled announce is kept: 7 days.
    pub retention: Duration,
    /// How long one send or lookup may take: 120 s.
    pub send_within: Duration,
    /// Sends and lookups under way at once: 8.
    pub at_once: usize,
    /// The least time between two starts: 5 ms, so that a backlog starts no more than 200 a second.
    pub start_every: Duration,
    /// How long sends under way may finish after a stop: 10 s.
    pub drain: Duration,
}

impl Limits {
    /// The defaults of the design.
    ///
    /// # Errors
    /// None that can happen: the values are fixed, and a test builds them. The signature spares a panic path.
    pub fn standard() -> Result<Self, ScheduleError> {
        let later = Schedule::exponential(secs(15), secs(300))?.jitter(0.2)?;
        Ok(Self {
            delays: Schedule::fixed([5, 10, 20].map(secs))?.then(later.clone()),
            compaction_delays: Schedule::fixed([1, 2, 4, 8].map(secs))?.then(later),
            expiry: secs(30 * 60),
            fewest_sends: 4,
            most_sends: 32,
            most_lookups: 64,
            longest_stated: secs(24 * 60 * 60),
            retention: secs(7 * 24 * 60 * 60),
            send_within: secs(120),
            at_once: 8,
            start_every: Duration::from_millis(5),
            drain: secs(10),
        })
    }

    /// The delay that the schedule gives after `event`. It rolls the jitter, so it is drawn before the plan, which is
    /// pure, is made.
    #[must_use]
    pub fn pause(&self, row: &Row, event: &Event) -> Duration {
        let nth = |count: u32| usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
        let (schedule, retry) = match event {
            Event::Sent(Err(failure)) if failure.compacting => (&self.compaction_delays, nth(row.sends)),
            Event::Sent(Err(_)) => (&self.delays, nth(row.sends)),
            // The first lookup after a send waits as long as the first retry would: the send may still be on its way.
            Event::Sent(Ok(_)) => (&self.delays, 0),
            Event::LookedUp(_) => (&self.delays, nth(row.lookups)),
            Event::Due | Event::Restarted | Event::RequesterIdle | Event::Retry | Event::Dismiss => {
                return Duration::ZERO;
            }
        };
        // A schedule that ends goes on with its last delay: what ends the retries are the limits above.
        schedule.delay(retry).or_else(|| schedule.delays().last()).unwrap_or(secs(5))
    }
}
