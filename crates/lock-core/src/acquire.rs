//! Acquiring: take a place in the lane, look at the file, then publish, reclaim, wait or report.
//!
//! Every look is synchronous and short (microseconds); between looks the waiter sleeps on inotify, its deadline, or the
//! moment at which a live lock becomes reportable. Nothing polls. Dropping the future at any await leaves no ticket, no
//! file and no watch behind, because each is owned by a value of this function and publishing has no await after it.

use std::{io, os::fd::AsFd, sync::Arc, task::Poll, time::Duration};

use tokio::{task::coop, time::Instant as TokioInstant};

use crate::{
    background::Watch,
    config::OnStale,
    doubt::Doubt,
    error::{LockError, Relation, Report},
    evidence::{Judged, Sighting, Surroundings, judge_now},
    failpoint::step,
    guard_file::{self, Standing},
    held::{Held, TakenOver},
    hold::{Acquired, Hold},
    judge::{Limits, Own, State},
    lane::Ticket,
    locks::{Inner, Wait},
    observer::Waiting,
    obstacle::{Obstacle, SeenLock, own_process_report, what_cannot_be_opened},
    publish::{Candidate, Published},
    reclaim::{Reclaimed, reclaim},
    registry,
    sleep::{SAFETY_TICK, Woken, sleep, within},
    stats,
    sys::{
        clock::WallMs,
        fork,
        fs::{self, Kind},
        kernel,
    },
    tag::RunTag,
    target::{LaneKey, Target},
};

/// The longest sleep where changes are not reported (network file systems, inotify used up).
const WITHOUT_NOTICE: Duration = Duration::from_millis(250);
/// Grace of a file without a complete record, and the shorter one of callers with a short budget.
const GRACE: Duration = Duration::from_secs(30);
const SHORT_GRACE: Duration = Duration::from_secs(5);
/// Another judge or reclaimer is done within microseconds; a stopped one is looked at again this often at most.
const CONTENDED: [Duration; 4] =
    [Duration::from_millis(1), Duration::from_millis(3), Duration::from_millis(8), Duration::from_millis(20)];
/// How long the head leaves the path to another process after a streak.
const GIVE_WAY: Duration = Duration::from_millis(1);
/// Units of a task's cooperative budget (tokio gives 128 for each poll) that one acquire takes: with 32 tasks of one thread
/// that acquire in a loop, two in a row keep the longest wait near that of strict turns.
const COST: u32 = 64;
/// Looks without a sleep in one go; the path changes hands faster than we look only for an instant.
const MAX_SPINS: u32 = 64;

/// One acquisition under way.
pub(crate) struct Acquisition<'a> {
    locks: &'a Inner,
    target: &'a Target,
    tag: &'a RunTag,
    wait: Wait,
    started: TokioInstant,
    /// A record must stay unchanged this long before it counts as abandoned.
    limits: Limits,
    candidate: Option<Candidate<'a>>,
    /// No look was taken yet.
    first: bool,
    sighting: Option<Sighting>,
    contended: usize,
    /// The last thing seen in the way, for the report.
    seen: Obstacle,
    doubt: Doubt,
    waiting: Waiting<'a>,
}

enum Look {
    Acquired(Published, Option<Box<TakenOver>>),
    /// Look again at once: the path changed under the look.
    Again,
    /// Sleep until the watch fires or the time is up.
    Sleep {
        watch: Option<Watch>,
        at_most: Duration,
        pinned: Option<Arc<Judged>>,
    },
    /// A live stale lock, seen a second time unchanged.
    Stale,
    /// The very run that asks owns the lock, in another process.
    OwnRun,
}

impl<'a> Acquisition<'a> {
    pub(crate) fn new(locks: &'a Inner, target: &'a Target, tag: &'a RunTag, wait: Wait) -> Self {
        let short = wait.timeout.is_some_and(|timeout| timeout < GRACE);
        Self {
            locks,
            target,
            tag,
            wait,
            started: TokioInstant::now(),
            limits: Limits { stale: locks.config.stale, grace: if short { SHORT_GRACE } else { GRACE } },
            candidate: None,
            first: true,
            sighting: None,
            contended: 0,
            seen: Obstacle::Nothing,
            doubt: Doubt::default(),
            waiting: Waiting::new(locks.observer.as_deref(), target, tag),
        }
    }

    pub(crate) async fn run(mut self) -> Result<Held, LockError> {
        consume_budget().await;
        // An unreachable deadline is no deadline.
        let deadline = self.wait.timeout.and_then(|timeout| self.started.checked_add(timeout));
        let mut ticket = registry::global()
            .lanes
            .enter(self.target.key(), self.tag.run())
            .map_err(|_| LockError::self_contention(self.report_within(Relation::ThisRun, 0)))?;
        if !ticket.is_head() {
            self.waiting.begin();
        }
        if !ticket.is_head() && within(deadline, ticket.turn()).await.is_none() {
            let position = ticket.position();
            stats::global().timed_out();
            return Err(LockError::timeout(
                self.report_within(Relation::ThisProcess, position),
                self.wait.timeout,
            ));
        }
        if ticket.should_give_way() {
            self.give_way().await?;
        }
        self.contend(deadline, ticket).await
    }

    async fn contend(
        &mut self,
        deadline: Option<TokioInstant>,
        ticket: Ticket<LaneKey>,
    ) -> Result<Held, LockError> {
        let (mut spins, mut last) = (0, false);
        // The safety tick ended the sleep; whether the lock slept on was one whose end is reported.
        let mut ticked = None;
        loop {
            let look = self
                .look()
                .map_err(|source| LockError::unavailable(&self.target.lock_path(), "acquire", source))?;
            if let Some(was_open) = ticked.take() {
                self.count_missed_wake(&look, was_open);
            }
            match look {
                Look::Acquired(published, taken_over) => {
                    stats::global().acquired();
                    let config = &self.locks.config;
                    let max_hold = self.wait.max_hold.unwrap_or(config.max_hold);
                    let acquired = Acquired { published, taken_over, creator: fork::generation() };
                    let (target, tag) = (self.target.clone(), self.tag.clone());
                    let hold = Hold::new(acquired, target, tag, ticket, max_hold, config.on_hold_exceeded);
                    self.waiting.end();
                    let held = Held::new(hold, self.locks.observer.clone());
                    if let Some(observer) = &self.locks.observer {
                        observer.acquired(&held, self.started.elapsed());
                        if held.taken_over().is_some() {
                            observer.taken_over(&held);
                        }
                    }
                    return Ok(held);
                }
                Look::Again if spins < MAX_SPINS => {
                    spins += 1;
                    let over = deadline.is_some_and(|deadline| TokioInstant::now() >= deadline);
                    if over && !last {
                        return Err(self.out_of_time());
                    }
                }
                Look::Again => {
                    spins = 0;
                    if within(deadline, tokio::time::sleep(CONTENDED[0])).await.is_none() {
                        return Err(self.out_of_time());
                    }
                }
                Look::Stale => {
                    return Err(self.stale(self.report_of_seen()));
                }
                Look::OwnRun => {
                    let mut report = self.report_of_seen();
                    report.relation = Relation::ThisRun;
                    return Err(LockError::self_contention(report));
                }
                Look::Sleep { .. } if last => return Err(self.out_of_time()),
                Look::Sleep { watch, at_most, pinned } => {
                    spins = 0;
                    stats::global().waited();
                    self.waiting.begin();
                    let id = pinned.as_ref().map(|judged| judged.stat.id);
                    let limit = self.doubt.soon(id, &self.seen).map_or(at_most, |soon| soon.min(at_most));
                    let slept =
                        within(deadline, sleep(watch.as_ref(), limit, self.target, pinned.as_ref())).await;
                    // The judged file stays open while it is watched: its inode number cannot come back as another lock.
                    drop(pinned);
                    match slept {
                        Some(Woken::ByChange) => {
                            stats::global().woken();
                            self.doubt.woken(id);
                        }
                        Some(Woken::ByTime) => ticked = (limit == SAFETY_TICK).then(|| self.seen.is_open()),
                        // One look more: an owner whose end was never reported is taken over, not named in an error.
                        None => last = true,
                    }
                }
            }
        }
    }

    /// One look at the path. No await: what it acquires is ours or nobody's.
    fn look(&mut self) -> io::Result<Look> {
        // What stood in the way a moment ago may be gone; a report must not name it for ever.
        self.seen = Obstacle::Nothing;
        match guard_file::look(self.target)? {
            Standing::None => {}
            Standing::Guard { file, says } => return self.behind_guard(file, says),
        }
        // Mostly nobody is there, and then trying is cheaper than looking. A full disk matters only where nobody keeps
        // this waiter waiting anyway.
        let refused = if std::mem::take(&mut self.first) {
            match self.publish() {
                Ok(acquired @ Look::Acquired(..)) => return Ok(acquired),
                Ok(_) => None,
                Err(error) => Some(error),
            }
        } else {
            None
        };
        match fs::open_to_judge(self.target.dir(), self.target.lock_name()) {
            Ok(None) => refused.map_or_else(|| self.publish(), Err),
            Ok(Some(file)) => self.judge(Judged::open(file)?),
            // A symlink (ELOOP), a socket (ENXIO), a file of another user: something is there that cannot be judged.
            Err(error) => match error.raw_os_error() {
                Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => Err(error),
                Some(_) | None => Ok(self.unreadable(&error)),
            },
        }
    }

    fn publish(&mut self) -> io::Result<Look> {
        let candidate = match self.candidate.take() {
            Some(candidate) => candidate,
            None => Candidate::create(self.target, self.locks.publish_mode)?,
        };
        let max_hold = self.wait.max_hold.unwrap_or(self.locks.config.max_hold);
        candidate.write(self.tag, max_hold)?;
        match candidate.publish()? {
            Ok(published) => Ok(Look::Acquired(published, None)),
            Err(candidate) => {
                // One with a private name would be litter if this process were killed while it waits.
                self.candidate = candidate.is_unnamed().then_some(candidate);
                Ok(Look::Again)
            }
        }
    }

    fn judge(&mut self, judged: Judged) -> io::Result<Look> {
        let judged = Arc::new(judged);
        // Armed before the path is checked again, so that a release in between is seen by one or the other.
        let watch = if self.target.on_network() {
            None
        } else {
            registry::global().background.watch(judged.file.as_fd())
        };
        let still_there = |judged: &Judged| -> io::Result<bool> {
            Ok(fs::stat_at(self.target.dir(), self.target.lock_name())?.map(|stat| stat.id)
                == Some(judged.stat.id))
        };
        if !still_there(&judged)? {
            return Ok(Look::Again);
        }
        let sighting = Sighting::of(&judged.stat, self.sighting);
        self.sighting = Some(sighting);
        // Only a record that says nothing needs to know how old its file is.
        let fresh_ctime_ns = if judged.record.is_complete() { None } else { self.fresh_ctime() };
        let around = Surroundings {
            identity: registry::global().identity(),
            network: self.target.on_network(),
            sighting,
            fresh_ctime_ns,
            flock_is_ours: false,
        };
        let (evidence, judgement) = judge_now(&judged, &around, &self.limits);
        let state = judgement.state;
        self.seen = Obstacle::Lock(Box::new(SeenLock {
            unreadable: judged.no_lock(),
            record: judged.record.clone(),
            evidence,
            judgement,
        }));
        if state != State::Contended {
            self.contended = 0;
        }
        match state {
            State::Dead => self.take_over(&judged, &around),
            State::Contended => {
                Ok(Look::Sleep { watch, at_most: self.contended_delay(), pinned: Some(judged) })
            }
            State::Live => {
                // Within one process the lane answers this; here the same run asks from another process.
                if evidence.own != Own::Registered
                    && judged.record.run_id.as_deref() == Some(self.tag.run_id())
                {
                    return Ok(Look::OwnRun);
                }
                if self.is_reportable() && self.locks.on_stale(&self.wait) == OnStale::Report {
                    step!("report.judged");
                    // A report that is gone or replaced by now is no report: look again inside the budget.
                    let same = still_there(&judged)? && fs::read_bounded(&judged.file)? == judged.bytes;
                    return Ok(if same { Look::Stale } else { Look::Again });
                }
                if evidence.own != Own::Registered && !self.target.on_network() {
                    kernel::mark_waiting(judged.file.as_fd());
                }
                let at_most = self.sleep_limit(watch.is_some(), &judged);
                Ok(Look::Sleep { watch, at_most, pinned: Some(judged) })
            }
            State::Unknown => {
                let mut at_most = self.sleep_limit(watch.is_some(), &judged);
                if !judged.record.is_complete() {
                    // After the grace nothing changes by waiting alone.
                    if let Some(left) = self.limits.grace.checked_sub(evidence.unchanged_for) {
                        at_most = at_most.min(left + CONTENDED[0]);
                    }
                }
                Ok(Look::Sleep { watch, at_most, pinned: Some(judged) })
            }
        }
    }

    fn take_over(&mut self, judged: &Judged, around: &Surroundings<'_>) -> io::Result<Look> {
        let candidate = match self.candidate.take() {
            Some(candidate) => candidate,
            None => Candidate::create(self.target, self.locks.publish_mode)?,
        };
        let max_hold = self.wait.max_hold.unwrap_or(self.locks.config.max_hold);
        candidate.write(self.tag, max_hold)?;
        let (mode, guard) = (self.locks.reclaim_mode, self.locks.config.fs_safe_guard);
        match reclaim(self.target, judged, around, &self.limits, mode, guard, candidate)? {
            Reclaimed::Owned(published) => {
                stats::global().reclaimed();
                let reasons = self.seen.reasons().to_vec();
                tracing::warn!(
                    lock = %self.target.lock_path().display(),
                    previous_pid = judged.record.pid,
                    previous_run = judged.record.run_id.as_deref(),
                    ?reasons,
                    "session lock of a dead owner taken over"
                );
                let record = judged.record.clone();
                Ok(Look::Acquired(published, Some(Box::new(TakenOver { record, reasons }))))
            }
            Reclaimed::Changed => Ok(Look::Again),
            Reclaimed::Contended | Reclaimed::Guarded => {
                Ok(Look::Sleep { watch: None, at_most: self.contended_delay(), pinned: None })
            }
        }
    }

    /// Behind a reclaim guard: other programs wait for as long as it stands, and so do we.
    fn behind_guard(&mut self, file: std::fs::File, says: String) -> io::Result<Look> {
        let watch = registry::global().background.watch(file.as_fd());
        let judged = Arc::new(Judged::open(file)?);
        let there = fs::stat_at(self.target.dir(), self.target.guard_name())?.map(|stat| stat.id);
        if there != Some(judged.stat.id) {
            return Ok(Look::Again);
        }
        let at_most = if watch.is_some() { SAFETY_TICK } else { WITHOUT_NOTICE };
        // A directory's removal is reported only when nobody has it open any more, so it is not kept open; the watch itself
        // keeps its inode number from coming back.
        let pinned = (judged.stat.kind != Kind::Directory).then(|| Arc::clone(&judged));
        self.seen = Obstacle::Guard { says };
        Ok(Look::Sleep { watch, at_most, pinned })
    }

    fn unreadable(&mut self, error: &io::Error) -> Look {
        tracing::debug!(lock = %self.target.lock_path().display(), %error, "what stands at the lock's path cannot be opened");
        // Gone since: what comes next is looked at without waiting.
        let Some(what) = what_cannot_be_opened(self.target) else { return Look::Again };
        self.seen = Obstacle::Unreadable { what };
        Look::Sleep { watch: None, at_most: WITHOUT_NOTICE, pinned: None }
    }

    fn contended_delay(&mut self) -> Duration {
        let delay = CONTENDED[self.contended.min(CONTENDED.len() - 1)];
        self.contended += 1;
        delay
    }

    fn is_reportable(&self) -> bool {
        self.seen.is_live_stale()
    }

    /// Until the next moment at which this very lock would be judged otherwise.
    fn sleep_limit(&self, noticed: bool, judged: &Judged) -> Duration {
        let mut limit = if noticed { SAFETY_TICK } else { WITHOUT_NOTICE };
        if self.locks.on_stale(&self.wait) == OnStale::Report
            && let Some(age) = judged.record.age(WallMs::now())
        {
            let thresholds = [Some(self.limits.stale), judged.record.max_hold];
            for threshold in thresholds.into_iter().flatten() {
                // A threshold that has passed has been acted on; a millisecond more, because *past* it is stale.
                if let Some(left) = threshold.checked_sub(age) {
                    limit = limit.min(left + Duration::from_millis(1));
                }
            }
        }
        limit
    }

    fn fresh_ctime(&mut self) -> Option<i128> {
        let candidate = Candidate::create(self.target, self.locks.publish_mode).ok()?;
        let ctime = candidate.ctime_ns();
        self.candidate.get_or_insert(candidate);
        ctime
    }

    /// Lets the waiters of other processes, who were woken by our release, take the lock first.
    async fn give_way(&self) -> Result<(), LockError> {
        let taken = fs::stat_at(self.target.dir(), self.target.lock_name())
            .map_err(|source| LockError::unavailable(&self.target.lock_path(), "acquire", source))?;
        if taken.is_none() {
            stats::global().gave_way();
            tokio::time::sleep(GIVE_WAY).await;
        }
        Ok(())
    }

    /// Only a look that then succeeds, or finds the owner dead, shows that a wake-up was missed. The death of an owner that
    /// did not have the file open is reported to nobody.
    fn count_missed_wake(&self, look: &Look, was_open: bool) {
        let missed = match look {
            Look::Acquired(_, None) => true,
            Look::Acquired(_, Some(_)) => was_open,
            Look::Again | Look::Sleep { .. } => was_open && self.seen.is_dead(),
            Look::Stale | Look::OwnRun => false,
        };
        if missed && !self.target.on_network() {
            stats::global().safety_tick();
            tracing::warn!(lock = %self.target.lock_path().display(), "a wake-up was missed; the safety tick helped");
        }
    }

    fn stale(&self, report: Report) -> LockError {
        stats::global().stale_reported();
        if let Some(observer) = &self.locks.observer {
            observer.stale(&report);
        }
        LockError::stale(report)
    }

    fn out_of_time(&self) -> LockError {
        let report = self.report_of_seen();
        if self.is_reportable() {
            return self.stale(report);
        }
        stats::global().timed_out();
        LockError::timeout(report, self.wait.timeout)
    }

    fn report_of_seen(&self) -> Report {
        self.seen.report(self.target, registry::global().identity(), self.started.elapsed())
    }

    fn report_within(&self, relation: Relation, queue_position: usize) -> Report {
        own_process_report(
            self.target,
            registry::global().identity(),
            self.started.elapsed(),
            relation,
            queue_position,
        )
    }
}

/// An acquire that need not wait has no other await, and a loop of them must not keep a runtime's thread to itself. Its
/// system calls take as long as several polls of a socket, and count as that many.
async fn consume_budget() {
    std::future::poll_fn(|context| {
        for _ in 0..COST {
            match coop::poll_proceed(context) {
                Poll::Ready(unit) => unit.made_progress(),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    })
    .await;
}
