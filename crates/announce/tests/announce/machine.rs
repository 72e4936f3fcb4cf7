//! The plan against a receiver that does *not* deduplicate, with crashes, lost receipts, restarts, late arrivals and
//! wall clocks that jump, in any order. Whatever happens: delivered at most once per key, exactly one terminal state,
//! nothing without a payload, bounded attempts; and once the trouble ends, everything ends.

use std::{collections::HashMap, time::Duration};

use moorline_announce::{
    Busy, Envelope, Event, Evidence, Failure, Filter, Key, Limits, Lookup, MemoryOutbox, Outbox, Path,
    Progress, Receipt, Row, SendError, SqliteOutbox, State, Then, Timestamp, plan, prepare,
};
use moorline_taxonomy::{Cancelled, Code, Coordination, Delivery, Effect, Local, Mark, Provider};
use proptest::prelude::*;

/// What a send really does, and what its sender learns of it.
#[derive(Clone, Copy, Debug)]
enum Sent {
    Delivered,
    DeliveredReceiptLost(u8),
    Accepted,
    AcceptedReceiptLost,
    InTransit,
    NothingToSay,
    Refused(u8),
    BrokenAndGone(u8),
    Parked(u32),
    RateLimited(u32),
    Moved,
    /// The process ends before the send leaves it.
    CrashBefore,
    /// The process ends after the receiver has it.
    CrashAfter,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    Truth,
    NotKnown,
    Failed,
    Crash,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    /// Works on what is due, if the process lives.
    Work(Sent, Asked),
    /// Time passes.
    Pass(u32),
    /// Somebody sets the wall clock.
    Jump(i32),
    Restart,
    Crash,
    /// What is under way at the receiver arrives, or is lost.
    Arrive(bool),
    Idle,
    /// A writer that read the row long ago writes now.
    StaleWriter,
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        2 => Just(Sent::Delivered),
        3 => any::<u8>().prop_map(Sent::DeliveredReceiptLost),
        2 => Just(Sent::Accepted),
        2 => Just(Sent::AcceptedReceiptLost),
        2 => Just(Sent::InTransit),
        1 => Just(Sent::NothingToSay),
        6 => any::<u8>().prop_map(Sent::Refused),
        3 => any::<u8>().prop_map(Sent::BrokenAndGone),
        1 => any::<u32>().prop_map(Sent::Parked),
        1 => any::<u32>().prop_map(Sent::RateLimited),
        1 => Just(Sent::Moved),
        2 => Just(Sent::CrashBefore),
        2 => Just(Sent::CrashAfter),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let asked = prop_oneof![4 => Just(Asked::Truth), 1 => Just(Asked::NotKnown), 1 => Just(Asked::Failed), 1 => Just(Asked::Crash)];
    prop_oneof![
        10 => (sent(), asked).prop_map(|(sent, asked)| Op::Work(sent, asked)),
        6 => (0_u32..400_000).prop_map(Op::Pass),
        2 => any::<i32>().prop_map(Op::Jump),
        3 => Just(Op::Restart),
        1 => Just(Op::Crash),
        2 => any::<bool>().prop_map(Op::Arrive),
        1 => Just(Op::Idle),
        1 => Just(Op::StaleWriter),
    ]
}

/// What the receiver really has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Truth {
    delivered: u32,
    under_way: u32,
    said_nothing: bool,
}

struct World<'a> {
    outbox: &'a dyn Outbox,
    limits: Limits,
    now: Timestamp,
    alive: bool,
    receiver: HashMap<String, Truth>,
    settled: HashMap<u64, State>,
    old: Vec<Row>,
}

const REQUESTERS: [&str; 3] = ["agent:a:main", "agent:b:main", "agent:c:main"];

impl<'a> World<'a> {
    async fn new(outbox: &'a dyn Outbox) -> Self {
        let limits = Limits { most_sends: 8, most_lookups: 12, ..Limits::standard().unwrap() };
        let now = Timestamp::from_millis(1_700_000_000_000);
        for (index, requester) in REQUESTERS.iter().enumerate() {
            // One of them has nothing to say.
            let text = if index == 2 { "ANNOUNCE_SKIP" } else { "the result" };
            let key = Key::completion(*requester, format!("run{index}")).unwrap();
            let row = prepare(key, Envelope::result(*requester, text), now, &limits);
            outbox.prepare(&row).await.unwrap();
            // Submitted twice, as a resumed child does.
            outbox.prepare(&row).await.unwrap();
        }
        let (receiver, settled) = (HashMap::new(), HashMap::new());
        Self { outbox, limits, now, alive: true, receiver, settled, old: Vec::new() }
    }

    async fn rows(&self) -> Vec<Row> {
        self.outbox.list(&Filter::default()).await.unwrap()
    }

    async fn run(&mut self, op: Op) {
        match op {
            Op::Work(sent, asked) => {
                for row in self.outbox.due(self.now, &Busy::default(), 9).await.unwrap() {
                    if self.alive {
                        self.advance(row, Event::Due, sent, asked).await;
                    }
                }
            }
            Op::Pass(millis) => self.now = self.now.plus(Duration::from_millis(millis.into())),
            Op::Jump(seconds) => {
                // Up to a month ahead or back.
                let by = Duration::from_secs(u64::from(seconds.unsigned_abs()) % 2_600_000);
                self.now = if seconds < 0 { self.now.minus(by) } else { self.now.plus(by) };
            }
            Op::Crash => self.alive = false,
            Op::Restart => {
                self.alive = true;
                let filter = Filter { states: vec![State::Sending], ..Filter::default() };
                for row in self.outbox.list(&filter).await.unwrap() {
                    self.advance(row, Event::Restarted, Sent::Delivered, Asked::Truth).await;
                }
            }
            Op::Arrive(arrives) => {
                for truth in self.receiver.values_mut() {
                    if arrives {
                        truth.delivered += truth.under_way;
                    }
                    truth.under_way = 0;
                }
            }
            Op::Idle => {
                for row in self.rows().await {
                    self.advance(row, Event::RequesterIdle, Sent::Delivered, Asked::Truth).await;
                }
            }
            Op::StaleWriter => {
                for stale in std::mem::take(&mut self.old) {
                    let current = self.outbox.get(stale.seq).await.unwrap().unwrap();
                    let next = Row { version: stale.version + 1, state: State::Prepared, ..stale };
                    let wrote = self.outbox.compare_and_set(&next, None).await.unwrap();
                    assert!(!wrote, "{current:?} was overwritten from an older version");
                }
            }
        }
        self.check().await;
    }

    /// What the announcer does: plan, write, act, feed back. The announcer's own code is tested against real time and
    /// real processes elsewhere; here the world may end between any two lines.
    async fn advance(&mut self, mut row: Row, mut event: Event, sent: Sent, asked: Asked) {
        loop {
            let step = plan(&row, &Evidence { event, pause: Duration::from_secs(7) }, self.now, &self.limits);
            let Some(next) = step.row else { return };
            assert!(self.outbox.compare_and_set(&next, step.notice.as_ref()).await.unwrap());
            self.old.push(row);
            row = next;
            event = match step.then {
                Then::Wait => return,
                Then::Send => {
                    assert!(
                        !moorline_announce::is_silent(row.result().unwrap_or("a notice")),
                        "nothing was sent"
                    );
                    match self.send(&row, sent) {
                        Some(outcome) => Event::Sent(outcome),
                        None => return self.alive = false,
                    }
                }
                Then::Ask => match asked {
                    Asked::Truth => Event::LookedUp(Ok(self.lookup(&row))),
                    Asked::NotKnown => Event::LookedUp(Ok(Lookup::NotKnown)),
                    Asked::Failed => Event::LookedUp(Err(failure(Mark::new(Delivery::Transient)))),
                    Asked::Crash => return self.alive = false,
                },
            };
        }
    }

    fn send(&mut self, row: &Row, sent: Sent) -> Option<Result<Receipt, Failure>> {
        let now = self.now;
        let truth = self.receiver.entry(row.key.to_string()).or_default();
        let receipt = |progress| Some(Ok(Receipt { path: Path::Turn, progress }));
        let lost = || Some(Err(failure(Mark::new(Delivery::Transient).effect_is(Effect::Possible))));
        match sent {
            Sent::Delivered => {
                truth.delivered += 1;
                receipt(Progress::Delivered)
            }
            Sent::DeliveredReceiptLost(which) => {
                truth.delivered += 1;
                Some(Err(failure(Mark::new(code(which)).effect_is(Effect::Done))))
            }
            Sent::CrashAfter => {
                truth.delivered += 1;
                None
            }
            Sent::CrashBefore => None,
            Sent::Accepted => {
                truth.under_way += 1;
                receipt(Progress::Accepted)
            }
            Sent::AcceptedReceiptLost | Sent::InTransit => {
                truth.under_way += 1;
                lost()
            }
            Sent::NothingToSay => {
                truth.said_nothing = true;
                receipt(Progress::SaidNothing)
            }
            Sent::Refused(which) => Some(Err(failure(Mark::new(code(which))))),
            Sent::BrokenAndGone(which) => {
                Some(Err(failure(Mark::new(code(which)).effect_is(Effect::Possible))))
            }
            Sent::Parked(millis) => {
                let until = now.plus(Duration::from_millis(millis.into()));
                Some(Err(SendError::new(Mark::new(Provider::RateLimit))
                    .parked_until(until)
                    .failure()
                    .clone()))
            }
            Sent::RateLimited(millis) => {
                let stated = Duration::from_millis(millis.into());
                Some(Err(failure(Mark::new(Delivery::RateLimited).retry_after_is(stated))))
            }
            Sent::Moved => Some(Err(SendError::new(Mark::new(Delivery::TargetMoved))
                .moved_to("elsewhere")
                .failure()
                .clone())),
        }
    }

    /// A receiver's honest answer: *absent* only when nothing is on its way.
    fn lookup(&self, row: &Row) -> Lookup {
        match self.receiver.get(&row.key.to_string()).copied().unwrap_or_default() {
            Truth { delivered: 1.., .. } => Lookup::Delivered,
            Truth { under_way: 1.., .. } => Lookup::Accepted,
            Truth { said_nothing: true, .. } => Lookup::SaidNothing,
            Truth { .. } => Lookup::Absent,
        }
    }

    async fn check(&mut self) {
        for (key, truth) in &self.receiver {
            assert!(truth.delivered + truth.under_way <= 1, "{key} was delivered twice: {truth:?}");
        }
        let rows = self.rows().await;
        for row in &rows {
            if let Some(before) = self.settled.get(&row.seq) {
                assert_eq!(row.state, *before, "a second terminal state: {row:?}");
            }
            if row.state.is_terminal() {
                self.settled.insert(row.seq, row.state);
            }
            assert!(
                row.sends <= self.limits.most_sends && row.lookups <= self.limits.most_lookups,
                "{row:?}"
            );
            let truth = self.receiver.get(&row.key.to_string()).copied().unwrap_or_default();
            assert!(row.state != State::Delivered || truth.delivered == 1, "{row:?} is not there: {truth:?}");
            assert!(row.state != State::Rejected || truth.delivered == 0, "{row:?} is there: {truth:?}");
            let failed = matches!(row.state, State::Rejected | State::Expired) && !row.key.is_give_up();
            let notices = rows
                .iter()
                .filter(|notice| notice.key.is_give_up() && notice.key.requester() == row.key.requester());
            if !row.key.is_give_up() {
                assert_eq!(notices.count(), usize::from(failed), "{row:?}");
            }
        }
    }

    /// The trouble ends: the process lives, receivers answer, time passes.
    async fn quiet(&mut self) {
        self.run(Op::Arrive(true)).await;
        self.run(Op::Restart).await;
        for _ in 0..64 {
            self.run(Op::Work(Sent::Delivered, Asked::Truth)).await;
            if self.rows().await.iter().all(|row| row.state.is_terminal()) {
                return;
            }
            let next = self.outbox.next_due(self.now).await.unwrap();
            self.now = next.unwrap_or(self.now);
        }
        panic!("still open: {:#?}", self.rows().await);
    }
}

fn failure(mark: Mark) -> Failure {
    SendError::new(mark).failure().clone()
}

fn code(which: u8) -> Code {
    let codes: [Code; 10] = [
        Delivery::Transient.into(),
        Delivery::Pending.into(),
        Delivery::RateLimited.into(),
        Delivery::Transient.into(),
        Coordination::LockTimeout.into(),
        Provider::Timeout.into(),
        Cancelled::Shutdown.into(),
        Provider::Unknown.into(),
        Delivery::TargetGone.into(),
        Local::DiskFull.into(),
    ];
    codes[usize::from(which) % codes.len()]
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

async fn live(outbox: &dyn Outbox, ops: Vec<Op>) {
    let mut world = World::new(outbox).await;
    for op in ops {
        world.run(op).await;
    }
    world.quiet().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn at_most_once_in_any_order_of_trouble(ops in prop::collection::vec(op(), 0..60)) {
        block_on(live(&MemoryOutbox::default(), ops));
    }
}

proptest! {
    // Each write is on the disk when it returns, so a case takes tens of milliseconds.
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn at_most_once_on_a_file_too(ops in prop::collection::vec(op(), 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        block_on(async {
            let outbox = SqliteOutbox::open(folder.path().join("announce.sqlite")).await.unwrap();
            live(&outbox, ops).await;
        });
    }
}
