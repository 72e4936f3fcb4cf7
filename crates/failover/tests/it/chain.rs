//! What the chain does: order, retries, cooldowns, probes, ends.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use moorline_failover::{
    CallError, Candidate, Capability, Chain, ChainError, Cooldown, CooldownStore, Decision, Event, Key,
    Limits, MemoryStore, Needs, ProviderFailure, Record, Signal, Skip, StopReason, StoreError, Transport,
    Why,
};
use moorline_retry::{Budget, Clock, ManualClock, Schedule};
use moorline_taxonomy::{Code, Mark};
use proptest::prelude::*;

use crate::support::{answers, answers_after, candidates, clock, noon};

struct World {
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
}

impl World {
    fn new() -> Self {
        Self { clock: clock(), store: Arc::new(MemoryStore::new()) }
    }

    fn chain(&self, names: &[&str]) -> Chain {
        Chain::new(candidates(names), self.clock.clone()).with_store(self.store.clone())
    }

    async fn cooling(&self) -> Vec<(String, Why)> {
        let all = self.store.load().await.unwrap();
        all.into_iter()
            .filter(|cooldown| !cooldown.remaining(self.clock.wall()).is_zero())
            .map(|cooldown| (cooldown.key.provider, cooldown.why))
            .collect()
    }
}

/// Runs a chain whose calls answer by provider; says who was called.
async fn run(
    chain: &Chain,
    needs: &Needs,
    answer: impl Fn(&Candidate) -> Result<&'static str, CallError> + Send + Sync,
) -> (Vec<String>, Result<(String, &'static str), ChainError>) {
    let mut called = Vec::new();
    let result = chain
        .run(needs, |candidate, _| {
            called.push(candidate.provider().to_owned());
            std::future::ready(answer(&candidate))
        })
        .await;
    (called, result.map(|served| (served.candidate.provider().to_owned(), served.value)))
}

#[tokio::test]
async fn the_first_candidate_serves_and_nothing_else_happens() {
    let world = World::new();
    let (called, served) = run(&world.chain(&["a", "b"]), &Needs::default(), |_| Ok("hello")).await;
    assert_eq!((called, served.unwrap()), (vec!["a".to_owned()], ("a".to_owned(), "hello")));
    assert_eq!(world.cooling().await, []);
}

#[tokio::test]
async fn a_spent_account_goes_to_the_next_and_stays_away() {
    let world = World::new();
    let chain = world.chain(&["a", "b"]);
    let spent = |candidate: &Candidate| if candidate.provider() == "a" { Err(answers(402)) } else { Ok("b") };
    let (called, served) = run(&chain, &Needs::default(), spent).await;
    assert_eq!((called.len(), served.unwrap().1), (2, "b"));
    assert_eq!(world.cooling().await, [("a".to_owned(), Why::Billing)]);
    // For five hours nobody asks the empty account again.
    world.clock.advance(Duration::from_secs(5 * 3600 - 1));
    assert_eq!(run(&chain, &Needs::default(), spent).await.0, ["b"]);
    // Then one probe does, and the second time it is ten hours.
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(run(&chain, &Needs::default(), spent).await.0, ["a", "b"]);
    world.clock.advance(Duration::from_secs(10 * 3600 - 1));
    assert_eq!(run(&chain, &Needs::default(), spent).await.0, ["b"]);
    // Somebody paid: the probe succeeds and the cooldown is gone.
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(run(&chain, &Needs::default(), |_| Ok("paid")).await.1.unwrap(), ("a".to_owned(), "paid"));
    assert_eq!(world.store.load().await.unwrap(), []);
}

#[tokio::test]
async fn a_clock_that_was_set_back_keeps_nobody_away_for_longer() {
    let world = World::new();
    let day = Duration::from_secs(24 * 3600);
    // Written when the clock was a day ahead, by a run that also held the probe.
    let key = Key { provider: "a".to_owned(), credential: Some("key".to_owned()), model: None };
    let (since, until) = (noon() + day, noon() + day + Duration::from_secs(60));
    let ahead = Cooldown { key: key.clone(), why: Why::RateLimit, since, until, strikes: 1 };
    world.store.merge(&ahead).await.unwrap();
    assert!(world.store.claim(&key, since, until).await.unwrap());
    let chain = world.chain(&["a"]);
    let (called, failed) = run(&chain, &Needs::default(), |_| Ok("a")).await;
    assert!(called.is_empty());
    let resumes = noon() + Duration::from_secs(60);
    assert!(matches!(failed, Err(ChainError::AllCooling { until, .. }) if until == resumes), "{failed:?}");
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(run(&chain, &Needs::default(), |_| Ok("a")).await.0, ["a"]);
}

#[tokio::test]
async fn a_stated_time_is_obeyed_and_the_ladder_is_not() {
    let world = World::new();
    let chain = world.chain(&["a", "b"]);
    let limited = |candidate: &Candidate| {
        if candidate.provider() == "a" { Err(answers_after(429, 90)) } else { Ok("b") }
    };
    run(&chain, &Needs::default(), limited).await.1.unwrap();
    world.clock.advance(Duration::from_secs(89));
    assert_eq!(world.cooling().await, [("a".to_owned(), Why::RateLimit)]);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.cooling().await, []);
}

#[tokio::test]
async fn the_ladder_climbs_where_nothing_is_stated() {
    let world = World::new();
    let chain = world.chain(&["a", "b"]);
    let limited =
        |candidate: &Candidate| if candidate.provider() == "a" { Err(answers(429)) } else { Ok("b") };
    for minutes in [1, 5, 25, 60, 60] {
        run(&chain, &Needs::default(), limited).await.1.unwrap();
        world.clock.advance(Duration::from_secs(minutes * 60 - 1));
        assert_eq!(world.cooling().await.len(), 1, "{minutes} minutes");
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(world.cooling().await, [], "{minutes} minutes");
    }
}

#[tokio::test]
async fn a_short_stated_wait_is_waited_out_on_the_same_candidate() {
    let world = World::new();
    let (clock, failed) = (world.clock.clone(), AtomicUsize::new(0));
    let chain = world.chain(&["a", "b"]);
    let needs = Needs::default();
    let work = run(&chain, &needs, |_| match failed.fetch_add(1, Ordering::SeqCst) {
        0 => Err(answers_after(429, 3)),
        _ => Ok("a again"),
    });
    let (result, ()) = tokio::join!(work, async move {
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(3));
    });
    assert_eq!(result.0, ["a", "a"]);
    assert_eq!(world.cooling().await, [], "it served in the end");
}

#[tokio::test]
async fn zero_means_now() {
    let world = World::new();
    let failed = AtomicUsize::new(0);
    let (called, served) =
        run(&world.chain(&["a", "b"]), &Needs::default(), |_| match failed.fetch_add(1, Ordering::SeqCst) {
            0 => Err(answers_after(503, 0)),
            _ => Ok("at once"),
        })
        .await;
    assert_eq!((called, served.unwrap().1), (vec!["a".to_owned(), "a".to_owned()], "at once"));
}

#[tokio::test]
async fn trouble_of_the_provider_is_tried_twice_and_cools_no_credential() {
    let world = World::new();
    let (called, served) = run(&world.chain(&["a", "b"]), &Needs::default(), |candidate| {
        if candidate.provider() == "a" { Err(answers(500)) } else { Ok("b") }
    })
    .await;
    assert_eq!(
        (called.as_slice(), served.unwrap().1),
        (&["a".to_owned(), "a".to_owned(), "b".to_owned()][..], "b")
    );
    let all = world.store.load().await.unwrap();
    assert_eq!(
        all.iter().map(|cooldown| (cooldown.why, cooldown.key.model.is_some())).collect::<Vec<_>>(),
        [(Why::Breaker, true)]
    );
}

#[tokio::test]
async fn without_budget_the_next_candidate_comes_at_once() {
    let world = World::new();
    let chain = world.chain(&["a", "b"]).with_budget(Budget::total(0));
    let (called, _) = run(&chain, &Needs::default(), |_| Err(answers(500))).await;
    assert_eq!(called, ["a", "b"]);
}

#[tokio::test]
async fn the_servers_veto_is_obeyed() {
    let world = World::new();
    let (called, _) = run(&world.chain(&["a", "b"]), &Needs::default(), |_| {
        let headers = [("x-should-retry", "false"), ("retry-after", "1")];
        Err(ProviderFailure::received(&Signal::status(503).with_headers(&headers), "no"))
    })
    .await;
    assert_eq!(called, ["a", "b"]);
}

#[tokio::test]
async fn the_requests_fault_stops_and_consumes_one() {
    let world = World::new();
    let (called, failed) =
        run(&world.chain(&["a", "b", "c"]), &Needs::default(), |_| Err(answers(400))).await;
    let failed = failed.unwrap_err();
    assert_eq!(called, ["a"]);
    assert!(matches!(failed, ChainError::Stopped { reason: Some(StopReason::Class), .. }));
    assert_eq!(world.cooling().await, []);
}

#[tokio::test]
async fn what_only_this_model_refuses_goes_on() {
    let world = World::new();
    let (called, served) = run(&world.chain(&["a", "b"]), &Needs::default(), |candidate| {
        let signal = Signal::status(400).from_provider("openai").with_code("unsupported_parameter");
        if candidate.provider() == "a" { Err(ProviderFailure::received(&signal, "no")) } else { Ok("b") }
    })
    .await;
    assert_eq!((called.len(), served.unwrap().1), (2, "b"));
}

#[tokio::test]
async fn a_refusal_for_content_goes_on_only_where_somebody_decided_it() {
    let refused = || {
        let signal = Signal::status(400).from_provider("azure").with_code("content_filter");
        Err::<&str, _>(ProviderFailure::received(&signal, "no"))
    };
    let world = World::new();
    assert_eq!(run(&world.chain(&["a", "b"]), &Needs::default(), |_| refused()).await.0, ["a"]);
    let opted_in = Needs { failover_on_content_policy: true, ..Needs::default() };
    assert_eq!(run(&world.chain(&["a", "b"]), &opted_in, |_| refused()).await.0, ["a", "b"]);
}

fn skipped(record: &Record) -> Option<Skip> {
    match &record.event {
        Event::Skipped(skip) => Some(skip.clone()),
        Event::Failed { .. } | Event::Served => None,
    }
}

#[tokio::test]
async fn an_overflow_goes_only_to_a_larger_window() {
    let of = |name: &str, window| Candidate::new(name, "m", "k").window_of(window);
    let too_long = || {
        let signal = Signal::status(400).from_provider("openai").with_code("context_length_exceeded");
        Err::<&str, _>(ProviderFailure::received(&signal, "no"))
    };
    let chain = Chain::new([of("small", 8), of("smaller", 4), of("unknown", 8), of("large", 100)], clock());
    let (called, failed) = run(&chain, &Needs::default(), |_| too_long()).await;
    assert_eq!(called, ["small", "large"]);
    let passed: Vec<_> = failed.expect_err("none fits").records().iter().map(skipped).collect();
    assert_eq!(passed, [None, Some(Skip::NotLarger), Some(Skip::NotLarger), None], "all are in the record");
    // Without a larger one the runner has to compact.
    let chain = Chain::new([of("large", 100), of("small", 8)], clock());
    let (called, failed) = run(&chain, &Needs::default(), |_| too_long()).await;
    assert_eq!(called, ["large"]);
    assert!(matches!(failed, Err(ChainError::Stopped { reason: Some(StopReason::Repair), .. })));
}

#[tokio::test]
async fn a_run_that_no_candidate_fits_says_what_is_missing() {
    let needs = Needs { tokens: 5000, request_bytes: 50, ..Needs::default() };
    for (candidate, code) in [
        (Candidate::new("small", "m", "k").window_of(1000), "request.context_overflow"),
        (Candidate::new("narrow", "m", "k").accepting_bytes(10), "request.payload_too_large"),
    ] {
        let chain = Chain::new([candidate], clock());
        let failed =
            chain.run(&needs, |_, _| async { Ok("never called") }).await.expect_err("it does not fit");
        assert_eq!((failed.code().to_string().as_str(), failed.consumed()), (code, 0));
    }
}

#[tokio::test]
async fn preflight_spends_no_request_on_a_misfit() {
    let chain = Chain::new(
        [
            Candidate::new("small", "m", "k").window_of(1000),
            Candidate::new("blind", "m", "k").able_to([Capability::Tools]),
            Candidate::new("narrow", "m", "k").accepting_bytes(10),
            Candidate::new("fits", "m", "k").window_of(100_000),
        ],
        clock(),
    );
    let needs = Needs {
        tokens: 5000,
        request_bytes: 100,
        capabilities: [Capability::Images].into_iter().collect(),
        ..Needs::default()
    };
    let mut records = Vec::new();
    let served = chain
        .run(&needs, |candidate, _| std::future::ready(Ok(candidate.provider().to_owned())))
        .await
        .unwrap();
    records.extend(served.records);
    assert_eq!(served.value, "fits");
    assert_eq!(
        records.iter().filter_map(skipped).collect::<Vec<_>>(),
        [
            Skip::Window { needs: 5000, has: 1000 },
            Skip::Lacks(Capability::Images),
            Skip::Size { needs: 100, takes: 10 }
        ]
    );
}

#[tokio::test]
async fn when_all_cool_the_earliest_time_is_said() {
    let world = World::new();
    let chain = world.chain(&["a", "b"]);
    let limited =
        |candidate: &Candidate| Err(answers_after(429, if candidate.provider() == "a" { 900 } else { 400 }));
    let (called, failed) = run(&chain, &Needs::default(), limited).await;
    assert_eq!(called, ["a", "b"]);
    let Err(ChainError::AllCooling { until, .. }) = failed else { panic!("{failed:?}") };
    assert_eq!(until, noon() + Duration::from_secs(400));
    // And the next run asks nobody.
    let (called, failed) = run(&chain, &Needs::default(), limited).await;
    assert_eq!(called, [] as [&str; 0]);
    assert!(
        matches!(failed, Err(ChainError::AllCooling { until, .. }) if until == noon() + Duration::from_secs(400))
    );
}

#[tokio::test]
async fn whoever_just_ran_out_of_money_is_told_and_not_parked() {
    let world = World::new();
    let (_, failed) = run(&world.chain(&["a"]), &Needs::default(), |_| Err(answers(402))).await;
    let failed = failed.unwrap_err();
    assert!(matches!(failed, ChainError::Exhausted { .. }), "{failed}");
    assert_eq!(failed.code().to_string(), "provider.billing");
}

#[tokio::test]
async fn one_call_probes_and_the_others_wait_for_it() {
    let world = World::new();
    let chain = world.chain(&["a", "b"]);
    run(&chain, &Needs::default(), |candidate| {
        if candidate.provider() == "a" { Err(answers_after(429, 60)) } else { Ok("b") }
    })
    .await
    .1
    .unwrap();
    world.clock.advance(Duration::from_secs(60));
    let asked = Arc::new(AtomicUsize::new(0));
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (chain, asked) = (chain.clone(), asked.clone());
        runs.spawn(async move {
            let served = chain
                .run(&Needs::default(), |candidate, _| {
                    let asked = asked.clone();
                    async move {
                        if candidate.provider() == "a" {
                            asked.fetch_add(1, Ordering::SeqCst);
                            // The probe takes its time, so that everybody else comes by.
                            for _ in 0..50 {
                                tokio::task::yield_now().await;
                            }
                            return Err(answers_after(429, 60));
                        }
                        Ok::<_, CallError>(())
                    }
                })
                .await;
            served.unwrap().candidate.provider().to_owned()
        });
    }
    assert!(runs.join_all().await.iter().all(|served| served == "b"));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "one probe");
}

#[tokio::test]
async fn output_that_was_shown_is_not_silently_replayed() {
    let world = World::new();
    let chain = world.chain(&["a", "b"]);
    let mut calls = 0;
    let failed = chain
        .run(&Needs::default(), |_, attempt| {
            calls += 1;
            attempt.mark_streamed();
            attempt.spent(1234);
            std::future::ready(Err::<(), _>(ProviderFailure::received(
                &Signal::transport(Transport::Broken),
                "reset",
            )))
        })
        .await
        .unwrap_err();
    assert_eq!(calls, 1);
    assert!(matches!(failed, ChainError::Stopped { reason: Some(StopReason::Streamed), .. }));
    assert_eq!(failed.records()[0].cost, 1234);
    assert_eq!(world.cooling().await, []);
}

#[tokio::test]
async fn limits_of_calls_and_time_end_a_run() {
    let world = World::new();
    let names: Vec<String> = (0..20).map(|number| format!("p{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let limits = Limits { tries: 5, tries_per_candidate: 1, ..Limits::default() };
    let (called, _) =
        run(&world.chain(&names).with_limits(limits), &Needs::default(), |_| Err(answers(402))).await;
    assert_eq!(called.len(), 5);

    let world = World::new();
    let limits = Limits { deadline: Some(Duration::from_secs(10)), ..Limits::default() };
    let clock = world.clock.clone();
    let (called, _) = run(&world.chain(&names).with_limits(limits), &Needs::default(), move |_| {
        clock.advance(Duration::from_secs(4));
        Err(answers(402))
    })
    .await;
    assert_eq!(called.len(), 3);
}

#[tokio::test]
async fn records_say_what_was_done_and_where_it_led() {
    let world = World::new();
    let backoff = Schedule::fixed([Duration::from_secs(2)]).unwrap();
    let chain = world.chain(&["a", "b"]).with_backoff(backoff);
    let clock = world.clock.clone();
    let needs = Needs::default();
    let work = chain.run(&needs, |_, _| std::future::ready(Err::<(), _>(answers(503))));
    let (failed, ()) = tokio::join!(work, async move {
        for _ in 0..4 {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(2));
        }
    });
    let failed = failed.unwrap_err();
    let steps: Vec<_> = failed
        .records()
        .iter()
        .map(|record| {
            let Event::Failed { decision, .. } = &record.event else { panic!("{record}") };
            (
                record.candidate.provider(),
                *decision,
                record.wait.as_secs(),
                record.to.as_ref().map(Candidate::provider),
            )
        })
        .collect();
    assert_eq!(
        steps,
        [
            ("a", Decision::Again { wait: None }, 2, Some("a")),
            ("a", Decision::Next { cool: true }, 0, Some("b")),
            ("b", Decision::Again { wait: None }, 2, Some("b")),
            ("b", Decision::Next { cool: false }, 0, None),
        ]
    );
    assert!(failed.records()[0].to_string().contains("rule status/503"), "{}", failed.records()[0]);
}

#[derive(Debug)]
struct Broken;

#[async_trait]
impl CooldownStore for Broken {
    async fn load(&self) -> Result<Vec<Cooldown>, StoreError> {
        Err(StoreError::failed("read the cooldowns", "the disk is full"))
    }
    async fn merge(&self, _: &Cooldown) -> Result<(), StoreError> {
        Err(StoreError::failed("keep a cooldown", "the disk is full"))
    }
    async fn clear(&self, _: &Key, _: Why, _: std::time::SystemTime) -> Result<(), StoreError> {
        Err(StoreError::failed("clear a cooldown", "the disk is full"))
    }
    async fn claim(
        &self,
        _: &Key,
        _: std::time::SystemTime,
        _: std::time::SystemTime,
    ) -> Result<bool, StoreError> {
        Err(StoreError::busy("claim a probe", "another writer"))
    }
    async fn release(&self, _: &Key) -> Result<(), StoreError> {
        Err(StoreError::failed("release a probe", "the disk is full"))
    }
}

#[tokio::test]
async fn a_broken_store_fails_no_call_and_is_written_down() {
    let chain = Chain::new(candidates(&["a", "b"]), clock()).with_store(Arc::new(Broken));
    let served = chain
        .run(&Needs::default(), |candidate, _| {
            std::future::ready(if candidate.provider() == "a" { Err(answers(402)) } else { Ok(()) })
        })
        .await
        .unwrap();
    assert_eq!(served.candidate.provider(), "b");
    let said = served.records[0].store_error.as_deref().unwrap();
    assert!(said.contains("the disk is full"), "{said}");
}

fn causes(error: &dyn Error) -> Vec<String> {
    let mut all = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        all.push(cause.to_string());
        next = cause.source();
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The source chain of the final error contains every call's root cause, in order, and its mark is found.
    #[test]
    fn every_root_cause_is_kept_in_order(statuses in prop::collection::vec(prop::sample::select(vec![401, 402, 404, 429, 500, 503]), 1..6)) {
        let names: Vec<String> = (0..statuses.len()).map(|number| format!("p{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let world = World::new();
        let limits = Limits { tries_per_candidate: 1, ..Limits::default() };
        let chain = world.chain(&names).with_limits(limits);
        let number = AtomicUsize::new(0);
        let failed = runtime.block_on(run(&chain, &Needs::default(), |_| {
            let at = number.fetch_add(1, Ordering::SeqCst);
            let root = format!("root cause {at}");
            Err(ProviderFailure::received(&Signal::status(statuses[at]).from_provider("acme"), std::io::Error::other(root)))
        })).1.unwrap_err();
        let roots: Vec<String> = causes(&failed).into_iter().filter(|text| text.starts_with("root cause")).collect();
        prop_assert_eq!(roots, (0..statuses.len()).map(|at| format!("root cause {at}")).collect::<Vec<_>>());
        let code = Mark::find(&failed).map(Mark::code);
        prop_assert_eq!(code, Some(failed.code()));
        prop_assert_eq!(failed.consumed(), statuses.len());
    }

    /// The last healthy candidate is never ejected by a class that passes, where nothing was stated.
    #[test]
    fn the_last_healthy_candidate_stays(count in 1_usize..5, statuses in prop::collection::vec(prop::sample::select(vec![408, 429, 500, 502, 503, 504, 529]), 1..40)) {
        let names: Vec<String> = (0..count).map(|number| format!("p{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let world = World::new();
        let chain = world.chain(&names);
        let number = AtomicUsize::new(0);
        let answer = |_: &Candidate| Err(answers(statuses[number.fetch_add(1, Ordering::SeqCst) % statuses.len()]));
        for _ in 0..6 {
            let (called, failed) = runtime.block_on(run(&chain, &Needs::default(), answer));
            prop_assert!(!called.is_empty(), "somebody is always asked");
            let all_cool = matches!(failed, Err(ChainError::AllCooling { .. }));
            prop_assert!(!all_cool, "nothing was stated, so nobody knows until when");
            world.clock.advance(Duration::from_secs(1));
        }
    }
}

#[test]
fn what_the_chain_gives_away_can_be_sent() {
    fn is_send<T: Send>(_: &T) {}
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Chain>();
    is_shared::<ChainError>();
    is_shared::<CallError>();
    is_shared::<MemoryStore>();
    let chain = Chain::new(candidates(&["a"]), clock());
    let needs = Needs::default();
    let run = chain.run(&needs, |_, _| async { Ok::<_, CallError>(()) });
    is_send(&run);
}

#[tokio::test]
async fn an_empty_chain_says_that_it_is_not_configured() {
    let failed = Chain::new([], clock())
        .run(&Needs::default(), |_, _| async { Ok::<_, CallError>(()) })
        .await
        .unwrap_err();
    assert_eq!(failed.code(), Code::Local(moorline_taxonomy::Local::Config));
}

#[tokio::test]
async fn dropping_a_run_leaves_the_store_whole() {
    let world = World::new();
    let chain = world.chain(&["a", "b"]);
    let needs = Needs::default();
    let run = chain.run(&needs, |candidate, _| async move {
        if candidate.provider() == "a" {
            return Err(answers(402));
        }
        std::future::pending::<()>().await;
        Ok(())
    });
    tokio::select! {
        biased;
        _ = run => panic!("b never answers"),
        () = async { for _ in 0..10 { tokio::task::yield_now().await; } } => {}
    }
    assert_eq!(world.cooling().await, [("a".to_owned(), Why::Billing)]);
    // And another run goes on from there.
    assert_eq!(self::run(&chain, &Needs::default(), |_| Ok("b")).await.0, ["b"]);
}
