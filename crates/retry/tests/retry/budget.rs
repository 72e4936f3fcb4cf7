//! Budgets: one bucket for all clones, on a clock that the test moves.

use std::time::{Duration, SystemTime};

use moorline_retry::{Budget, Clock as _, ManualClock, ScheduleFault};

const SECOND: Duration = Duration::from_secs(1);

fn clock() -> ManualClock {
    ManualClock::starting_at(SystemTime::UNIX_EPOCH)
}

#[test]
fn clones_share_one_total_across_threads() {
    let budget = Budget::total(100);
    let now = clock().now();
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let budget = budget.clone();
                scope.spawn(move || (0..50).filter(|_| budget.take(now)).count())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(taken, 100);
    assert_eq!(budget.left(now), Some(0));
}

#[test]
fn an_unlimited_budget_never_ends() {
    let budget = Budget::unlimited();
    assert!((0..10_000).all(|_| budget.take(clock().now())));
    assert_eq!(budget.left(clock().now()), None);
}

#[test]
fn refilling_gives_one_each_interval_and_saves_up_no_second_burst() {
    let clock = clock();
    let budget = Budget::refilling(3, SECOND).unwrap();
    clock.advance(SECOND * 1000);
    assert_eq!((0..9).filter(|_| budget.take(clock.now())).count(), 3);
    clock.advance(SECOND / 2);
    assert!(!budget.take(clock.now()));
    clock.advance(SECOND / 2);
    assert!(budget.take(clock.now()), "two halves make a whole");
    assert!(!budget.take(clock.now()));
    clock.advance(SECOND * 1_000_000);
    assert_eq!((0..9).filter(|_| budget.take(clock.now())).count(), 3);
}

#[test]
fn a_share_of_calls_bounds_the_amplification_of_an_outage() {
    let budget = Budget::share_of_calls(10, 0.2).unwrap();
    let (calls, now) = (10_000, clock().now());
    let retries = (0..calls)
        .map(|_| {
            budget.count_call();
            (0..3).filter(|_| budget.take(now)).count()
        })
        .sum::<usize>();
    assert!((2000..=2010).contains(&retries), "{retries} retries for {calls} calls");
}

#[test]
fn bad_values_are_refused() {
    assert_eq!(Budget::refilling(1, Duration::ZERO).unwrap_err().fault(), ScheduleFault::ZeroDelay);
    for share in [0.0, -1.0, 1.5] {
        assert_eq!(Budget::share_of_calls(1, share).unwrap_err().fault(), ScheduleFault::Share(share));
    }
    assert!(Budget::share_of_calls(1, f64::NAN).is_err());
}
