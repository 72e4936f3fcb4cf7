//! The driver on tokio's paused clock: what a receiver does, and what becomes of the announce.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use moorline_announce::{
    AnnounceError, AnnounceFault, Announcer, Body, Busy, Envelope, Filter, Key, Limits, Lookup, MemoryOutbox,
    Outbox, OutboxError, Path, Prepared, Progress, Receipt, Row, Scope, SendError, State, Timestamp, Waiting,
    classify_delivery,
};
use moorline_retry::Clock as _;
use moorline_taxonomy::{Coordination, Delivery, Effect, Local, Mark};
use tokio::{sync::oneshot, time::sleep};

use crate::receiver::{MockWire, PausedClock};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The seconds at which something happened.
#[derive(Clone)]
struct Log(Arc<PausedClock>, Arc<Mutex<Vec<f64>>>);

impl Log {
    fn new(clock: &Arc<PausedClock>) -> Self {
        Self(Arc::clone(clock), Arc::default())
    }

    fn note(&self) -> usize {
        let mut log = self.1.lock().unwrap();
        log.push(self.0.elapsed().as_secs_f64());
        log.len()
    }

    /// Whole seconds.
    fn seconds(&self) -> Vec<u64> {
        self.1.lock().unwrap().iter().map(|at| *at as u64).collect()
    }
}

struct House {
    announcer: Arc<Announcer>,
    clock: Arc<PausedClock>,
    sends: Log,
    lookups: Log,
}

/// A host whose receiver answers the nth send and the nth lookup by these functions.
fn house(
    mut on_send: impl FnMut(usize) -> Result<Receipt, SendError> + Send + 'static,
    mut on_lookup: impl FnMut(usize) -> Result<Lookup, SendError> + Send + 'static,
) -> House {
    let clock = Arc::new(PausedClock::new());
    let (sends, lookups) = (Log::new(&clock), Log::new(&clock));
    let mut wire = MockWire::new();
    let log = sends.clone();
    wire.expect_send().returning(move |_, _, _| on_send(log.note()));
    let log = lookups.clone();
    wire.expect_lookup().returning(move |_| on_lookup(log.note()));
    let announcer = announcer(Arc::new(MemoryOutbox::default()), Arc::new(wire), &clock);
    House { announcer, clock, sends, lookups }
}

fn announcer(
    outbox: Arc<dyn Outbox>,
    transport: Arc<dyn moorline_announce::Transport>,
    clock: &Arc<PausedClock>,
) -> Arc<Announcer> {
    let limits = Limits { start_every: Duration::from_millis(5), ..Limits::standard().unwrap() };
    Arc::new(Announcer::new(outbox, transport, Arc::clone(clock) as _, limits))
}

fn never(_: usize) -> Result<Lookup, SendError> {
    panic!("nobody should ask")
}

fn received(progress: Progress) -> Result<Receipt, SendError> {
    Ok(Receipt { path: Path::Turn, progress })
}

fn delivered() -> Result<Receipt, SendError> {
    received(Progress::Delivered)
}

fn refused<T>(code: Delivery) -> Result<T, SendError> {
    Err(SendError::new(Mark::new(code)))
}

async fn submit(announcer: &Announcer, requester: &str, run: &str) -> Row {
    let envelope = Envelope::result(requester, "the result");
    announcer.submit(Key::completion(requester, run).unwrap(), envelope).await.unwrap().row().clone()
}

/// Drives for so long, and gives back every row.
async fn drive(announcer: &Announcer, seconds: u64) -> Vec<Row> {
    announcer.drive(sleep(secs(seconds))).await.unwrap();
    announcer.list(&Filter::default()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_result_is_delivered_once_however_often_it_is_submitted() {
    let house = house(|_| delivered(), never);
    let first = submit(&house.announcer, "a", "r").await;
    assert_eq!(submit(&house.announcer, "a", "r").await, first);
    let rows = drive(&house.announcer, 5000).await;
    assert_eq!((rows.len(), rows[0].state, house.sends.seconds()), (1, State::Delivered, vec![0]));
    let again = submit(&house.announcer, "a", "r").await;
    assert_eq!(again.state, State::Delivered, "submitted again after the fact");
    drive(&house.announcer, 5000).await;
    assert_eq!(house.sends.seconds().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_accepts_and_then_times_out_is_asked_and_not_sent_to_again() {
    let clock = Arc::new(PausedClock::new());
    let mut wire = SlowWire::new(&clock, secs(100_000));
    wire.lookup = Lookup::Delivered;
    let wire = Arc::new(wire);
    let announcer = announcer(Arc::new(MemoryOutbox::default()), Arc::clone(&wire) as _, &clock);
    submit(&announcer, "a", "r").await;
    let rows = drive(&announcer, 300).await;
    assert_eq!((rows[0].state, wire.sends.load(Ordering::Relaxed)), (State::Delivered, 1));
    assert_eq!(rows[0].last_cause().unwrap().code.to_string(), "delivery.uncertain");
}

#[tokio::test(start_paused = true)]
async fn accepted_is_confirmed_before_it_counts() {
    let house = house(
        |_| received(Progress::Accepted),
        |nth| Ok(if nth < 4 { Lookup::Accepted } else { Lookup::Delivered }),
    );
    submit(&house.announcer, "a", "r").await;
    let rows = drive(&house.announcer, 300).await;
    assert_eq!((rows[0].state, house.sends.seconds()), (State::Delivered, vec![0]));
    assert_eq!(house.lookups.seconds(), [5, 10, 20, 40]);
}

#[tokio::test(start_paused = true)]
async fn what_provably_never_arrived_is_sent_again() {
    let lost = || SendError::new(Mark::new(Delivery::Transient).effect_is(Effect::Possible));
    let house = house(move |nth| if nth == 1 { Err(lost()) } else { delivered() }, |_| Ok(Lookup::Absent));
    submit(&house.announcer, "a", "r").await;
    let rows = drive(&house.announcer, 300).await;
    assert_eq!(rows[0].state, State::Delivered);
    assert_eq!((house.sends.seconds(), house.lookups.seconds()), (vec![0, 5], vec![5]));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_to_the_second() {
    let limited = serde_json::json!({"channel": "telegram", "status": 429,
        "body": {"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 42",
                 "parameters": {"retry_after": 42}}});
    let house = house(
        move |nth| {
            if nth > 1 {
                return delivered();
            }
            Err(SendError::classified(classify_delivery(&limited), "Too Many Requests: retry after 42"))
        },
        never,
    );
    submit(&house.announcer, "a", "r").await;
    let rows = drive(&house.announcer, 300).await;
    assert_eq!((rows[0].state, house.sends.seconds()), (State::Delivered, vec![0, 42]));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_gone_rejects_and_the_requester_is_told() {
    let house = house(|nth| if nth == 1 { refused(Delivery::TargetGone) } else { delivered() }, never);
    submit(&house.announcer, "a", "r").await;
    let rows = drive(&house.announcer, 300).await;
    assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [State::Rejected, State::Delivered]);
    let Body::GaveUp(notice) = &rows[1].envelope.body else { panic!("{rows:?}") };
    assert_eq!((notice.of.child_run(), notice.result.as_str()), ("r", "the result"));
    assert_eq!((notice.cause.code.to_string().as_str(), notice.attempts.len()), ("delivery.target_gone", 1));
}

#[tokio::test(start_paused = true)]
async fn a_silent_child_is_settled_without_a_send() {
    let house = house(|_| panic!("nothing is sent"), never);
    let key = Key::completion("a", "r").unwrap();
    let row = house.announcer.submit(key, Envelope::result("a", "NO_REPLY")).await.unwrap();
    assert_eq!(row.row().state, State::Silent);
    assert_eq!(drive(&house.announcer, 5000).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_requester_that_is_busy_for_a_minute_gets_it_when_it_is_idle() {
    let house = house(|nth| if nth < 6 { refused(Delivery::Pending) } else { delivered() }, never);
    submit(&house.announcer, "a", "r").await;
    let (announcer, idle) = (Arc::clone(&house.announcer), Arc::clone(&house.announcer));
    let busy = async {
        sleep(secs(60)).await;
        let rows = idle.list(&Filter::default()).await.unwrap();
        assert_eq!(rows[0].waiting, Waiting::Busy);
        idle.requester_idle("a").await.unwrap();
    };
    let (rows, ()) = tokio::join!(drive(&announcer, 300), busy);
    let sends = house.sends.seconds();
    assert_eq!(rows[0].state, State::Delivered);
    assert_eq!((&sends[..4], sends.last()), (&[0, 5, 15, 35][..], Some(&60)));
}

#[tokio::test(start_paused = true)]
async fn compaction_has_its_own_short_delays() {
    let compacting = || SendError::new(Mark::new(Delivery::Pending)).compacting();
    let house = house(move |nth| if nth < 5 { Err(compacting()) } else { delivered() }, never);
    submit(&house.announcer, "a", "r").await;
    drive(&house.announcer, 300).await;
    assert_eq!(house.sends.seconds(), [0, 1, 3, 7, 15]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_lasts_is_given_up_after_half_an_hour_and_a_last_try() {
    let house = house(|_| refused(Delivery::Transient), never);
    submit(&house.announcer, "a", "r").await;
    let rows = drive(&house.announcer, 2000).await;
    assert_eq!(rows[0].state, State::Expired);
    let of_first = usize::try_from(rows[0].sends).unwrap();
    let sends = house.sends.1.lock().unwrap()[..of_first].to_vec();
    assert_eq!(sends[..4].iter().map(|at| *at as u64).collect::<Vec<_>>(), [0, 5, 15, 35]);
    assert!((11..=20).contains(&of_first), "{sends:?}");
    assert_eq!(
        sends.last().map(|at| *at as u64),
        Some(1800),
        "the last try is at the end of its time: {sends:?}"
    );
    let gaps: Vec<_> = sends[3..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((12.0..=18.1).contains(&gaps[0]), "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= 300.1), "{gaps:?}");
    let notice = &rows[1];
    assert!(
        notice.key.is_give_up() && notice.sends > 0,
        "the requester is told in the same minute: {notice:?}"
    );
    let Body::GaveUp(said) = &notice.envelope.body else { panic!("{notice:?}") };
    assert_eq!(said.attempts.len(), of_first + 1, "every attempt, and that time ran out");
    assert_eq!(said.cause.code.to_string(), "delivery.transient");
}

#[tokio::test(start_paused = true)]
async fn parked_while_every_candidate_cools() {
    let until = Timestamp::from(PausedClock::new().wall()).plus(secs(4 * 3600));
    let house = house(
        move |nth| {
            if nth > 1 {
                return delivered();
            }
            Err(SendError::new(Mark::new(moorline_taxonomy::Provider::RateLimit)).parked_until(until))
        },
        never,
    );
    submit(&house.announcer, "a", "r").await;
    let parked = drive(&house.announcer, 3600).await;
    assert_eq!((parked[0].waiting, parked[0].due_at), (Waiting::Parked, until));
    let rows = drive(&house.announcer, 4 * 3600).await;
    assert_eq!((rows[0].state, house.sends.seconds()), (State::Delivered, vec![0, 4 * 3600]));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_limits_the_whole_bot_is_asked_once_and_not_by_every_row() {
    let limited = || {
        let verdict = classify_delivery(
            &serde_json::json!({"channel": "slack", "code": "ratelimited", "retry_after": 30}),
        );
        assert_eq!(verdict.scope, Some(Scope::Bot));
        SendError::classified(verdict, "ratelimited")
    };
    let house = house(move |nth| if nth == 1 { Err(limited()) } else { delivered() }, never);
    for run in 0..50 {
        let key = Key::completion(format!("requester {run}"), "r").unwrap();
        let envelope = Envelope::result("somewhere", "the result").through("slack:T1");
        house.announcer.submit(key, envelope).await.unwrap();
    }
    let elsewhere = submit(&house.announcer, "b", "other channel").await;
    let rows = drive(&house.announcer, 300).await;
    assert!(rows.iter().all(|row| row.state == State::Delivered));
    let sends = house.sends.seconds();
    assert_eq!(sends[..3], [0, 0, 30], "the limit, the other channel, and then the rest");
    let other = rows.iter().find(|row| row.seq == elsewhere.seq).unwrap();
    assert!(other.settled_at.unwrap().since(other.created_at) < secs(1));
}

/// A receiver that takes its time and counts what is under way.
struct SlowWire {
    clock: Arc<PausedClock>,
    takes: Duration,
    lookup: Lookup,
    under_way: Mutex<Vec<String>>,
    most: AtomicUsize,
    sends: AtomicUsize,
    order: Mutex<Vec<(f64, String)>>,
}

impl SlowWire {
    fn new(clock: &Arc<PausedClock>, takes: Duration) -> Self {
        Self {
            clock: Arc::clone(clock),
            takes,
            lookup: Lookup::Absent,
            under_way: Mutex::default(),
            most: AtomicUsize::new(0),
            sends: AtomicUsize::new(0),
            order: Mutex::default(),
        }
    }
}

#[async_trait]
impl moorline_announce::Transport for SlowWire {
    async fn send(&self, _: &Envelope, key: &Key, _: std::time::Instant) -> Result<Receipt, SendError> {
        self.sends.fetch_add(1, Ordering::Relaxed);
        self.order.lock().unwrap().push((self.clock.elapsed().as_secs_f64(), key.child_run().to_owned()));
        {
            let mut under_way = self.under_way.lock().unwrap();
            assert!(!under_way.iter().any(|requester| requester == key.requester()), "two at once for {key}");
            under_way.push(key.requester().to_owned());
            self.most.fetch_max(under_way.len(), Ordering::Relaxed);
        }
        sleep(self.takes).await;
        self.under_way.lock().unwrap().retain(|requester| requester != key.requester());
        delivered()
    }

    async fn lookup(&self, _: &Key) -> Result<Lookup, SendError> {
        Ok(self.lookup)
    }
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_for_each_requester_a_few_at_once_in_all_and_in_order() {
    let clock = Arc::new(PausedClock::new());
    let wire = Arc::new(SlowWire::new(&clock, secs(1)));
    let announcer = announcer(Arc::new(MemoryOutbox::default()), Arc::clone(&wire) as _, &clock);
    for run in 0..60 {
        submit(&announcer, &format!("requester {}", run % 12), &format!("{run:02}")).await;
    }
    let rows = drive(&announcer, 60).await;
    assert!(rows.iter().all(|row| row.state == State::Delivered));
    assert_eq!(wire.most.load(Ordering::Relaxed), 8);
    let order: Vec<_> = wire.order.lock().unwrap().iter().map(|(_, run)| run.clone()).collect();
    for requester in 0..12 {
        let runs: Vec<usize> =
            order.iter().map(|run| run.parse().unwrap()).filter(|run| run % 12 == requester).collect();
        assert!(runs.is_sorted(), "{runs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backlog_starts_at_a_steady_pace_and_in_order() {
    let clock = Arc::new(PausedClock::new());
    let wire = Arc::new(SlowWire::new(&clock, Duration::from_millis(1)));
    let announcer = announcer(Arc::new(MemoryOutbox::default()), Arc::clone(&wire) as _, &clock);
    for run in 0..600 {
        submit(&announcer, &format!("requester {run}"), &format!("{run:03}")).await;
    }
    drive(&announcer, 60).await;
    let order = wire.order.lock().unwrap();
    assert!(order.is_sorted_by(|one, next| one.1 < next.1));
    let busiest = (0..order.len())
        .map(|from| order[from..].iter().take_while(|(at, _)| *at < order[from].0 + 1.0).count())
        .max();
    assert!(busiest <= Some(201), "{busiest:?} started within one second");
    assert_eq!(order.len(), 600);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_what_is_under_way_end_within_bounds() {
    for (takes, ends_at, state) in [(3, 3, State::Delivered), (60, 11, State::Sending)] {
        let clock = Arc::new(PausedClock::new());
        let wire = Arc::new(SlowWire::new(&clock, secs(takes)));
        let announcer = announcer(Arc::new(MemoryOutbox::default()), Arc::clone(&wire) as _, &clock);
        submit(&announcer, "a", "1").await;
        submit(&announcer, "a", "2").await;
        let rows = drive(&announcer, 1).await;
        assert_eq!((clock.elapsed().as_secs(), rows[0].state), (ends_at, state));
        assert_eq!(rows[1].state, State::Prepared, "nothing starts after the stop");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drive_that_is_dropped_leaves_nothing_to_chance() {
    let clock = Arc::new(PausedClock::new());
    let wire = SlowWire { lookup: Lookup::Delivered, ..SlowWire::new(&clock, secs(60)) };
    let wire = Arc::new(wire);
    let announcer = announcer(Arc::new(MemoryOutbox::default()), Arc::clone(&wire) as _, &clock);
    submit(&announcer, "a", "1").await;
    let dropped = tokio::time::timeout(secs(1), announcer.drive(std::future::pending())).await;
    assert!(dropped.is_err());
    assert_eq!(announcer.list(&Filter::default()).await.unwrap()[0].state, State::Sending);
    let rows = drive(&announcer, 30).await;
    assert_eq!((rows[0].state, wire.sends.load(Ordering::Relaxed)), (State::Delivered, 1));
}

#[tokio::test(start_paused = true)]
async fn there_is_one_driver() {
    let house = house(|_| delivered(), never);
    let (stop, stopped) = oneshot::channel::<()>();
    let first = house.announcer.drive(async { drop(stopped.await) });
    let second = async {
        let error = house.announcer.drive(sleep(secs(1))).await.unwrap_err();
        assert_eq!(error.fault(), AnnounceFault::Driven);
        assert_eq!(Mark::find(&error).unwrap().code(), error.code());
        stop.send(()).unwrap();
    };
    let (first, ()) = tokio::join!(first, second);
    first.unwrap();
    house.announcer.drive(sleep(secs(1))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn operators_see_retry_and_dismiss() {
    let house = house(|nth| if nth <= 2 { refused(Delivery::Auth) } else { delivered() }, never);
    let seq = submit(&house.announcer, "a", "r").await.seq;
    let fault = |outcome: Result<Row, AnnounceError>| outcome.unwrap_err().fault();
    assert_eq!(fault(house.announcer.retry(99).await), AnnounceFault::NotFound { seq: 99 });
    drive(&house.announcer, 30).await;
    let reopened = house.announcer.retry(seq).await.unwrap();
    assert_eq!(reopened.state, State::Prepared);
    let rows = drive(&house.announcer, 30).await;
    assert_eq!(rows[0].state, State::Delivered, "after its credential was renewed");
    let settled = AnnounceFault::Settled { seq, state: State::Delivered };
    assert_eq!(fault(house.announcer.retry(seq).await), settled);
    assert_eq!(fault(house.announcer.dismiss(seq).await), settled);

    let other = submit(&house.announcer, "b", "r").await.seq;
    let dismissed = house.announcer.dismiss(other).await.unwrap();
    assert_eq!(dismissed.last_cause().unwrap().code.to_string(), "cancelled.user");
    let before = house.sends.seconds().len();
    let rows = drive(&house.announcer, 5000).await;
    assert_eq!((house.sends.seconds().len(), rows.len()), (before, 3), "neither sent nor told about");
}

#[tokio::test(start_paused = true)]
async fn what_is_being_sent_is_not_dismissed_under_way() {
    let clock = Arc::new(PausedClock::new());
    let wire = Arc::new(SlowWire::new(&clock, secs(10)));
    let announcer = announcer(Arc::new(MemoryOutbox::default()), wire, &clock);
    let seq = submit(&announcer, "a", "r").await.seq;
    let operator = async {
        sleep(secs(1)).await;
        let error = announcer.dismiss(seq).await.unwrap_err();
        assert_eq!(error.fault(), AnnounceFault::InFlight { seq, within: secs(120) });
    };
    tokio::join!(drive(&announcer, 30), operator);
}

#[tokio::test(start_paused = true)]
async fn old_rows_are_forgotten_after_a_week() {
    let house = house(|_| delivered(), never);
    submit(&house.announcer, "a", "r").await;
    assert_eq!(drive(&house.announcer, 7 * 24 * 3600 - 60).await.len(), 1);
    assert!(drive(&house.announcer, 2 * 3600).await.is_empty());
    assert!(house.clock.elapsed() > secs(7 * 24 * 3600));
}

#[tokio::test]
async fn a_result_that_is_too_large_is_refused_with_its_size() {
    let house = house(|_| delivered(), never);
    let envelope = Envelope::result("a", "x".repeat((4 << 20) + 1));
    let error = house.announcer.submit(Key::completion("a", "r").unwrap(), envelope).await.unwrap_err();
    assert!(error.to_string().contains("4194305"), "{error}");
}

/// An outbox whose writes fail a few times.
struct Flaky {
    inner: MemoryOutbox,
    failures: AtomicUsize,
    code: moorline_taxonomy::Code,
}

impl Flaky {
    fn fails(&self) -> Result<(), OutboxError> {
        let spend = |left: usize| left.checked_sub(1);
        match self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend) {
            Ok(_) => Err(OutboxError::new(self.code, "writing", std::io::Error::other("no"))),
            Err(_) => Ok(()),
        }
    }
}

#[async_trait]
impl Outbox for Flaky {
    async fn prepare(&self, row: &Row) -> Result<Prepared, OutboxError> {
        self.inner.prepare(row).await
    }
    async fn compare_and_set(&self, next: &Row, notice: Option<&Row>) -> Result<bool, OutboxError> {
        // The write happens, and its answer is lost: the worst of both.
        let written = self.inner.compare_and_set(next, notice).await?;
        self.fails()?;
        Ok(written)
    }
    async fn get(&self, seq: u64) -> Result<Option<Row>, OutboxError> {
        self.inner.get(seq).await
    }
    async fn find(&self, key: &Key) -> Result<Option<Row>, OutboxError> {
        self.inner.find(key).await
    }
    async fn due(&self, now: Timestamp, busy: &Busy, limit: usize) -> Result<Vec<Row>, OutboxError> {
        self.inner.due(now, busy, limit).await
    }
    async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, OutboxError> {
        self.inner.next_due(now).await
    }
    async fn list(&self, filter: &Filter) -> Result<Vec<Row>, OutboxError> {
        self.inner.list(filter).await
    }
    async fn counts(&self) -> Result<BTreeMap<State, u64>, OutboxError> {
        self.inner.counts().await
    }
    async fn forget(&self, before: Timestamp) -> Result<u64, OutboxError> {
        self.inner.forget(before).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_briefly_busy_costs_nothing_and_a_full_disk_ends_the_drive() {
    for (code, ends) in [(Coordination::StorageBusy.into(), false), (Local::DiskFull.into(), true)] {
        let clock = Arc::new(PausedClock::new());
        let outbox = Flaky { inner: MemoryOutbox::default(), failures: AtomicUsize::new(2), code };
        let wire = Arc::new(SlowWire { lookup: Lookup::Absent, ..SlowWire::new(&clock, Duration::ZERO) });
        let announcer = announcer(Arc::new(outbox), Arc::clone(&wire) as _, &clock);
        submit(&announcer, "a", "r").await;
        let driven = announcer.drive(sleep(secs(30))).await;
        assert_eq!(driven.as_ref().err().map(AnnounceError::code), ends.then_some(code), "{driven:?}");
        // Driven again once there is room, it goes on where it was.
        while announcer.drive(sleep(secs(30))).await.is_err() {}
        let rows = announcer.list(&Filter::default()).await.unwrap();
        assert_eq!((rows[0].state, wire.sends.load(Ordering::Relaxed)), (State::Delivered, 1), "{code}");
    }
}

#[test]
fn the_futures_are_send() {
    fn send<T: Send>(_: &T) {}
    let clock = Arc::new(PausedClock::new());
    let announcer =
        announcer(Arc::new(MemoryOutbox::default()), Arc::new(SlowWire::new(&clock, secs(1))), &clock);
    send(&announcer.drive(std::future::pending()));
    send(&announcer.requester_idle("a"));
    send(&announcer.retry(1));
}

#[tokio::test(start_paused = true)]
async fn a_receivers_later_word_settles_what_it_accepted_without_a_lookup() {
    let house = house(|_| Ok(Receipt { path: Path::Steer, progress: Progress::Accepted }), never);
    let row = submit(&house.announcer, "a", "r").await;
    let rows = drive(&house.announcer, 1).await;
    assert_eq!((rows[0].state, rows[0].waiting), (State::Uncertain, Waiting::Confirmation));
    let word = Receipt { path: Path::Steer, progress: Progress::Delivered };
    house.announcer.receipt(&row.key, word).await.unwrap();
    house.announcer.receipt(&Key::completion("a", "of nobody").unwrap(), word).await.unwrap();
    let rows = drive(&house.announcer, 5000).await;
    assert_eq!((rows.len(), rows[0].state, rows[0].path()), (1, State::Delivered, Some(Path::Steer)));
    assert_eq!(house.sends.seconds(), [0]);
    // What has ended stays as it ended.
    house.announcer.receipt(&row.key, word).await.unwrap();
    assert_eq!(house.announcer.list(&Filter::default()).await.unwrap(), rows);
}
