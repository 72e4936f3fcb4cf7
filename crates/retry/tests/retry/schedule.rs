//! Schedules: what they yield and what they refuse.

use std::time::Duration;

use moorline_retry::{Schedule, ScheduleError, ScheduleFault};
use moorline_taxonomy::{Local, Mark};
use proptest::prelude::*;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn refusals_name_what_is_wrong() {
    let exponential = || Schedule::exponential(secs(1), secs(60)).unwrap();
    let nan = exponential().jitter(f64::NAN).unwrap_err();
    assert!(matches!(nan.fault(), ScheduleFault::Jitter(value) if value.is_nan()));
    let cases: [(Result<Schedule, ScheduleError>, ScheduleFault); 10] = [
        (Schedule::fixed([]), ScheduleFault::Empty),
        (Schedule::fixed([secs(1), Duration::ZERO]), ScheduleFault::ZeroDelay),
        (
            Schedule::fixed([secs(604_801)]),
            ScheduleFault::TooLong { delay: secs(604_801), longest: secs(604_800) },
        ),
        (Schedule::exponential(Duration::ZERO, secs(1)), ScheduleFault::ZeroDelay),
        (
            Schedule::exponential(secs(2), secs(1)),
            ScheduleFault::MaxBelowInitial { initial: secs(2), max: secs(1) },
        ),
        (
            Schedule::exponential(secs(2), Duration::MAX),
            ScheduleFault::TooLong { delay: Duration::MAX, longest: secs(604_800) },
        ),
        (exponential().factor(0.5), ScheduleFault::Factor(0.5)),
        (exponential().factor(f64::INFINITY), ScheduleFault::Factor(f64::INFINITY)),
        (exponential().jitter(1.0), ScheduleFault::Jitter(1.0)),
        (Schedule::never().jitter(0.2), ScheduleFault::NotExponential),
    ];
    for (built, fault) in cases {
        let error = built.unwrap_err();
        assert_eq!(error.fault(), fault);
        assert_eq!(Mark::find(&error).unwrap().code(), Local::Config.into());
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn limits_and_parts_add_up() {
    let fixed = Schedule::fixed([1, 2, 3].map(secs)).unwrap();
    let endless = Schedule::exponential(secs(10), secs(40)).unwrap();
    let cases = [
        (Schedule::never(), vec![], Some(0)),
        (fixed.clone(), vec![1, 2, 3], Some(3)),
        (fixed.clone().at_most(2), vec![1, 2], Some(2)),
        (endless.clone().at_most(4), vec![10, 20, 40, 40], Some(4)),
        (endless.clone().at_most(1).then(fixed.clone()), vec![10, 1, 2, 3], Some(4)),
        (fixed.clone().then(endless.clone()).at_most(5), vec![1, 2, 3, 10, 20], Some(5)),
        (fixed.then(endless), vec![1, 2, 3, 10, 20, 40, 40], None),
    ];
    for (schedule, seconds, retries) in cases {
        let delays: Vec<_> = schedule.delays().take(7).collect();
        assert_eq!(delays, seconds.into_iter().map(secs).collect::<Vec<_>>(), "{schedule:?}");
        assert_eq!(schedule.retries(), retries, "{schedule:?}");
        assert_eq!(schedule.delay(1), delays.get(1).copied(), "{schedule:?}");
    }
}

#[test]
fn jitter_spreads_and_does_not_heap_up_at_the_maximum() {
    let schedule = Schedule::exponential(secs(15), secs(300)).unwrap().jitter(0.2).unwrap();
    let late: Vec<_> = (0..500).filter_map(|_| schedule.delay(9)).collect();
    let at_max = late.iter().filter(|delay| **delay == secs(300)).count();
    assert!(at_max < 5, "{at_max} of 500 waiters wake together");
    assert!(late.iter().any(|delay| *delay < secs(220)) && late.iter().any(|delay| *delay > secs(280)));
}

proptest! {
    #[test]
    fn jitter_stays_within_its_bounds(
        initial in 1_u64..100_000, times in 1_u64..1000, factor in 1.0..10.0, jitter in 0.0..=0.9, nth in 0_usize..30,
    ) {
        let initial = Duration::from_millis(initial);
        let max = initial * u32::try_from(times).unwrap();
        prop_assume!(max <= secs(604_800));
        let schedule = Schedule::exponential(initial, max).unwrap().factor(factor).unwrap().jitter(jitter).unwrap();
        let delay = schedule.delay(nth).unwrap();
        let highest_step = max.as_secs_f64() / (1.0 + jitter);
        let step = (initial.as_secs_f64() * factor.powi(i32::try_from(nth).unwrap())).min(highest_step);
        let rounding = 1e-6 * (1.0 + step);
        prop_assert!(delay <= max);
        prop_assert!(!delay.is_zero());
        prop_assert!(delay.as_secs_f64() >= step * (1.0 - jitter) - rounding, "{delay:?} of {step}");
        prop_assert!(delay.as_secs_f64() <= step * (1.0 + jitter) + rounding, "{delay:?} of {step}");
    }
}
