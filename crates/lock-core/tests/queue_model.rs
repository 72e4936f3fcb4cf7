//! The in-process queue under a model checker: `src/lane.rs` itself, with the checker's locks in place of std's.
//!
//! Every schedule that shuttle tries must be exclusive and in order, must come to an end (a lost wake-up is a deadlock,
//! which shuttle reports), and must leave no lane behind, whoever is cancelled at whatever await. The random scheduler
//! looks everywhere; the PCT scheduler looks for bugs of few preemptions, with a bound on the chance to miss one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod sync {
    //! What `src/sync.rs` names, by the model checker.
    pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }
}

#[path = "../src/prehashed.rs"]
mod prehashed;

#[path = "../src/lane.rs"]
#[allow(dead_code, reason = "the model does not ask for every fact that the crate asks for")]
mod lane;

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll},
};

use lane::{Lanes, Ticket};
use shuttle::{
    future::block_on,
    rand::Rng,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use sync::{Mutex, lock};

const KEY: &str = "session";

/// Schedules tried by each scheduler.
const SCHEDULES: usize = 1500;

struct World {
    lanes: &'static Lanes<&'static str>,
    inside: AtomicUsize,
    served: Mutex<Vec<usize>>,
}

impl World {
    fn new() -> Arc<Self> {
        // For ever, as the process registry is; a schedule's lanes are small.
        let lanes = Box::leak(Box::new(Lanes::new()));
        Arc::new(Self { lanes, inside: AtomicUsize::new(0), served: Mutex::new(Vec::new()) })
    }

    fn enter(&self, who: usize) -> Ticket<&'static str> {
        self.lanes.enter(&KEY, &format!("run-{who}").into()).unwrap()
    }

    /// The critical section of a head.
    fn serve(&self, who: usize, ticket: &mut Ticket<&'static str>) {
        assert_eq!(self.inside.fetch_add(1, Ordering::SeqCst), 0, "two heads");
        assert_eq!(ticket.position(), 0);
        lock(&self.served).push(who);
        thread::yield_now();
        if ticket.should_ask() {
            ticket.released(who.is_multiple_of(2));
        }
        assert_eq!(self.inside.fetch_sub(1, Ordering::SeqCst), 1);
    }

    /// Newcomers are served at once until one of them asks and sees nobody: then nothing of the lane is kept.
    fn drain(&self, key: &'static str) {
        let (kept, _) = self.lanes.kept();
        for newcomer in 0..16 {
            let mut last = self.lanes.enter(&key, &format!("last-{newcomer}").into()).unwrap();
            assert_eq!(last.position(), 0);
            block_on(last.turn());
            let asks = last.should_ask();
            if asks {
                last.released(false);
            }
            drop(last);
            let (now, idle) = self.lanes.kept();
            assert_eq!(now, idle, "without heads every lane is idle");
            if asks {
                assert!(now == 0 || now < kept, "the lane is left behind");
                return;
            }
        }
        panic!("nobody asked whether another process waits");
    }

    fn is_empty_again(&self) {
        self.drain(KEY);
        assert_eq!(self.lanes.kept(), (0, 0), "a lane is left behind");
    }
}

/// Polls `future` at most `polls` times, letting others run in between, then drops it.
async fn give_up_after<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let once = std::future::poll_fn(|context: &mut Context<'_>| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        });
        if let Some(output) = once.await {
            return Some(output);
        }
        shuttle::future::yield_now().await;
    }
    None
}

/// Runs the model under both schedulers.
fn check(model: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(model, SCHEDULES);
    shuttle::check_pct(model, SCHEDULES, 3);
}

#[test]
fn tickets_are_served_in_the_order_they_were_taken() {
    check(|| {
        let world = World::new();
        // All places are taken first, by one thread; then everybody waits in a thread of its own.
        let tickets: Vec<_> = (0..4).map(|who| world.enter(who)).collect();
        let threads: Vec<_> = tickets
            .into_iter()
            .enumerate()
            .map(|(who, mut ticket)| {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    block_on(ticket.turn());
                    world.serve(who, &mut ticket);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*lock(&world.served), [0, 1, 2, 3]);
        world.is_empty_again();
    });
}

#[test]
fn whoever_gives_up_at_whatever_await_keeps_nobody_waiting() {
    check(|| {
        let world = World::new();
        let tickets: Vec<_> = (0..5).map(|who| world.enter(who)).collect();
        let threads: Vec<_> = tickets
            .into_iter()
            .enumerate()
            .map(|(who, mut ticket)| {
                let world = Arc::clone(&world);
                // The odd ones give up after some polls: before they asked, while they wait, or when it is their turn.
                let polls =
                    if who % 2 == 1 { shuttle::rand::thread_rng().gen_range(0..3) } else { usize::MAX };
                thread::spawn(move || {
                    if polls == usize::MAX {
                        block_on(ticket.turn());
                        world.serve(who, &mut ticket);
                    } else if block_on(give_up_after(ticket.turn(), polls)).is_some() {
                        // Its turn had come already; dropping it without work must hand the turn on as well.
                        assert_eq!(world.inside.load(Ordering::SeqCst), 0);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*lock(&world.served), [0, 2, 4]);
        world.is_empty_again();
    });
}

#[test]
fn a_future_dropped_and_asked_again_keeps_its_place() {
    check(|| {
        let world = World::new();
        let tickets: Vec<_> = (0..3).map(|who| world.enter(who)).collect();
        let threads: Vec<_> = tickets
            .into_iter()
            .enumerate()
            .map(|(who, mut ticket)| {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    // A deadline dropped the future, not the ticket; the waker of the first one must not be missed.
                    let _ = block_on(give_up_after(ticket.turn(), 1));
                    block_on(ticket.turn());
                    world.serve(who, &mut ticket);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*lock(&world.served), [0, 1, 2]);
        world.is_empty_again();
    });
}

#[test]
fn newcomers_race_with_leavers_and_with_each_other() {
    check(|| {
        let world = World::new();
        let threads: Vec<_> = (0..4)
            .map(|who| {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    for _ in 0..2 {
                        let mut ticket = world.enter(who);
                        if who == 3 {
                            let _ = block_on(give_up_after(ticket.turn(), 1));
                            continue;
                        }
                        block_on(ticket.turn());
                        let _ = ticket.should_give_way();
                        world.serve(who, &mut ticket);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(lock(&world.served).len(), 6);
        world.is_empty_again();
    });
}

#[test]
fn one_head_in_a_streak_asks_and_what_it_saw_makes_the_next_one_give_way() {
    // One thread: there is one schedule.
    let model = || {
        let world = World::new();
        let mut asked_at = Vec::new();
        for turn in 0..12 {
            let mut ticket = world.enter(turn);
            assert_eq!(ticket.should_give_way(), turn > 0 && asked_at.last() == Some(&(turn - 1)), "{turn}");
            if turn == 3 {
                // Cancelled before its release: the next one asks in its place.
                assert!(ticket.should_ask());
                continue;
            }
            if ticket.should_ask() {
                ticket.released(true);
                asked_at.push(turn);
            }
        }
        assert_eq!(asked_at, [4, 8]);
    };
    shuttle::check_random(model, 1);
}

#[test]
fn the_head_itself_is_told_and_lanes_do_not_touch_each_other() {
    check(|| {
        let world = World::new();
        let head = world.enter(1);
        assert!(world.lanes.enter(&KEY, &"run-1".into()).is_err());
        let other = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                let mut ticket = world.lanes.enter(&"another", &"run-1".into()).unwrap();
                block_on(ticket.turn());
                assert_eq!(ticket.position(), 0);
            }
        });
        drop(head);
        other.join().unwrap();
        world.drain("another");
        world.is_empty_again();
    });
}
