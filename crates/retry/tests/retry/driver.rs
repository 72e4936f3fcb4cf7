//! The driver on tokio's paused clock: time moves exactly as far as the driver sleeps.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use moorline_retry::{
    Attempt, Budget, Clock as _, GaveUp, Judgement, ManualClock, Retry, Schedule, SystemClock, Why,
};
use moorline_taxonomy::{Delivery, Effect, Mark, Provider};
use tokio::time::Instant;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn schedule() -> Schedule {
    Schedule::fixed([5, 10, 20].map(secs)).unwrap()
}

fn always(_: &Mark) -> Judgement {
    Judgement::Retry { after: None }
}

fn as_stated(error: &Mark) -> Judgement {
    Judgement::Retry { after: error.retry_after() }
}

/// Fails every attempt and keeps the second at which each began.
async fn fail_all(
    retry: Retry<'_>,
    error: fn() -> Mark,
    judge: fn(&Mark) -> Judgement,
) -> (GaveUp<Mark>, Vec<u64>) {
    let start = Instant::now();
    let mut begun = Vec::new();
    let outcome = retry
        .run(
            |_| {
                begun.push(start.elapsed().as_secs());
                async move { Err::<(), _>(error()) }
            },
            judge,
        )
        .await;
    (outcome.unwrap_err(), begun)
}

fn transient() -> Mark {
    Mark::new(Delivery::Transient)
}

#[tokio::test(start_paused = true)]
async fn a_fixed_list_is_kept_to_the_second() {
    let schedule = schedule();
    let (gave_up, begun) = fail_all(Retry::new("t", &schedule, &SystemClock), transient, always).await;
    assert_eq!(begun, [0, 5, 15, 35]);
    assert_eq!((gave_up.attempts(), gave_up.waited(), gave_up.why()), (4, secs(35), Why::Schedule));
    let text = gave_up.to_string();
    assert_eq!(text, "gave up after 4 attempts and 35s of waiting: the schedule has no further delay");
}

#[tokio::test(start_paused = true)]
async fn the_last_error_is_the_source_and_its_mark_is_found() {
    #[derive(Debug, thiserror::Error)]
    #[error("attempt {0}")]
    struct Failed(u32, #[source] Mark);
    let schedule = schedule();
    let outcome = Retry::new("t", &schedule, &SystemClock)
        .run(
            |attempt| async move {
                let mark = Mark::new(Delivery::Transient).effect_is(Effect::Possible);
                Err::<(), _>(Failed(attempt.number, mark))
            },
            |_| Judgement::Retry { after: None },
        )
        .await;
    let wrapped = std::io::Error::other(outcome.unwrap_err());
    assert_eq!(Mark::find(&wrapped).unwrap().effect(), Effect::Possible);
    let gave_up = wrapped.into_inner().unwrap().downcast::<GaveUp<Failed>>().unwrap();
    assert_eq!(gave_up.into_error().0, 4);
}

#[tokio::test(start_paused = true)]
async fn success_ends_it_and_the_attempt_knows_its_number_and_deadline() {
    let deadline = SystemClock.now() + secs(60);
    let mut seen = Vec::new();
    let schedule = schedule();
    let answer = Retry::new("t", &schedule, &SystemClock)
        .deadline(deadline)
        .run(
            |attempt| {
                seen.push(attempt);
                async move { if attempt.number == 2 { Ok("sent") } else { Err(transient()) } }
            },
            always,
        )
        .await;
    assert_eq!(answer.unwrap(), "sent");
    assert_eq!(seen, [1, 2].map(|number| Attempt { number, deadline: Some(deadline) }));
}

#[tokio::test(start_paused = true)]
async fn what_is_judged_stop_is_tried_once() {
    let schedule = schedule();
    let judge = |_: &Mark| Judgement::Stop;
    let (gave_up, begun) = fail_all(Retry::new("t", &schedule, &SystemClock), transient, judge).await;
    assert_eq!((begun, gave_up.why(), gave_up.waited()), (vec![0], Why::Judged, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_sleep_never_overruns_the_deadline() {
    let schedule = schedule();
    for (deadline, begun_at) in [(0, vec![0]), (4, vec![0]), (5, vec![0, 5]), (34, vec![0, 5, 15])] {
        let start = SystemClock.now();
        let retry = Retry::new("t", &schedule, &SystemClock).deadline(start + secs(deadline));
        let (gave_up, begun) = fail_all(retry, transient, always).await;
        assert_eq!((begun, gave_up.why()), (begun_at, Why::Deadline));
        assert!(SystemClock.now() <= start + secs(deadline), "slept past the deadline of {deadline} s");
    }
}

#[tokio::test(start_paused = true)]
async fn cancellation_ends_the_wait_at_once_and_keeps_the_error() {
    let schedule = schedule();
    let retry = Retry::new("t", &schedule, &SystemClock).cancelled_by(tokio::time::sleep(secs(7)));
    let start = Instant::now();
    let (gave_up, begun) = fail_all(retry, transient, always).await;
    assert_eq!((begun, gave_up.why(), gave_up.waited()), (vec![0, 5], Why::Cancelled, secs(7)));
    assert_eq!(start.elapsed(), secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_stated_delay_lengthens_the_wait_and_never_shortens_it() {
    let schedule = schedule();
    let stated: fn() -> Mark = || Mark::new(Provider::RateLimit).retry_after_is(secs(12));
    let (gave_up, begun) = fail_all(Retry::new("t", &schedule, &SystemClock), stated, as_stated).await;
    assert_eq!((begun, gave_up.why()), (vec![0, 12, 24, 44], Why::Schedule));
}

#[tokio::test(start_paused = true)]
async fn a_stated_delay_over_the_cap_ends_it_instead_of_knocking_early() {
    let schedule = schedule();
    let stated: fn() -> Mark = || Mark::new(Provider::RateLimit).retry_after_is(secs(3600));
    let (gave_up, begun) = fail_all(Retry::new("t", &schedule, &SystemClock), stated, as_stated).await;
    assert_eq!(begun, [0]);
    assert_eq!(gave_up.why(), Why::StatedTooLong { stated: secs(3600), longest: secs(300) });

    let patient = Retry::new("t", &schedule, &SystemClock).longest_stated(secs(3600));
    assert_eq!(fail_all(patient, stated, as_stated).await.1, [0, 3600, 7200, 10800]);

    // A cap below the schedule does not shorten the schedule.
    let short: fn() -> Mark = || Mark::new(Provider::RateLimit).retry_after_is(secs(2));
    let impatient = Retry::new("t", &schedule, &SystemClock).longest_stated(secs(1));
    assert_eq!(fail_all(impatient, short, as_stated).await.1, [0, 5, 15, 35]);

    // An absurd number from a foreign server is no panic.
    let absurd: fn() -> Mark = || Mark::new(Provider::RateLimit).retry_after_is(Duration::MAX);
    let endless = Retry::new("t", &schedule, &SystemClock).longest_stated(Duration::MAX);
    assert_eq!(fail_all(endless, absurd, as_stated).await.0.why(), Why::Deadline);
}

#[tokio::test(start_paused = true)]
async fn callers_share_a_budget_and_a_refused_wait_costs_nothing() {
    let (schedule, budget) = (schedule(), Budget::total(4));
    let run = || fail_all(Retry::new("t", &schedule, &SystemClock).budget(&budget), transient, always);
    let (first, second) = tokio::join!(run(), run());
    assert_eq!(first.1.len() + second.1.len(), 2 + 4, "two first attempts are free, four retries are shared");
    assert_eq!((first.0.why(), second.0.why()), (Why::Budget, Why::Budget));

    let budget = Budget::total(1);
    let retry = Retry::new("t", &schedule, &SystemClock).budget(&budget).deadline(SystemClock.now());
    assert_eq!(fail_all(retry, transient, always).await.0.why(), Why::Deadline);
    assert_eq!(budget.left(SystemClock.now()), Some(1));
}

#[tokio::test]
async fn a_manual_clock_drives_it_and_its_wall_clock_does_not() {
    let clock = ManualClock::starting_at(std::time::UNIX_EPOCH);
    let schedule = Schedule::fixed([secs(5)]).unwrap();
    let retry = Retry::new("t", &schedule, &clock);
    let mut run = Box::pin(fail_all(retry, transient, always));
    assert!(futures_now(&mut run).await.is_none());
    clock.set_wall(std::time::UNIX_EPOCH + secs(1_000_000));
    assert!(futures_now(&mut run).await.is_none(), "a wall clock that jumps ends no wait");
    clock.advance(secs(5));
    assert_eq!(run.await.0.attempts(), 2);
}

/// The output if the future is ready now.
async fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn each_retry_leaves_an_event_with_attempt_delay_and_code() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let schedule = schedule().at_most(2);
    let guard = tracing::subscriber::set_default(subscriber);
    fail_all(Retry::new("deliver", &schedule, &SystemClock), transient, always).await;
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    for (line, delay) in lines.iter().zip([5000, 10_000]) {
        assert!(
            line.contains(&format!("delay_ms={delay}")) && line.contains("code=delivery.transient"),
            "{line}"
        );
        assert!(line.contains("operation=\"deliver\"") && line.contains("attempt="), "{line}");
    }
    assert!(lines[2].contains("gave up") && lines[2].contains("attempt=3"), "{text}");
}

#[test]
fn the_future_is_send() {
    fn send<T: Send>(_: &T) {}
    let schedule = schedule();
    let future = Retry::new("t", &schedule, &SystemClock)
        .run(|_| async { Err::<(), _>(transient()) }, |_| Judgement::Stop);
    send(&future);
}
