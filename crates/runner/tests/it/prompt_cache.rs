//! Prompt caches against a real HTTP server on loopback.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::{patch, post},
};
use moorline_retry::{Clock, Sleep, SystemClock};
use moorline_runner::{
    Candidate, GeminiCache, ModelReply, ModelRequest, Nothing, Retention, RunOutcome, Runner, Stop, ToolSpec,
    Turn,
};
use moorline_taxonomy::{Code, Coordination, WireCode};
use serde_json::{Value, json};

use crate::support::{Play, Scripted, Site, Tools, foreign, foreign_user, play};

/// The provider: what it was asked, and what it answers.
#[derive(Default)]
struct Provider {
    asked: Mutex<Vec<(String, Value, String)>>,
    refuses: Mutex<Option<u16>>,
    expire: Mutex<String>,
    before_answer: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

type Answer = Result<Json<Value>, StatusCode>;

fn answer(provider: &Provider, what: &str, headers: &HeaderMap, body: Value) -> Answer {
    let key = headers.get("x-goog-api-key").map_or("", |key| key.to_str().unwrap()).to_owned();
    let mut asked = provider.asked.lock().unwrap();
    asked.push((what.to_owned(), body, key));
    if let Some(act) = provider.before_answer.lock().unwrap().take() {
        act();
    }
    match *provider.refuses.lock().unwrap() {
        Some(status) => Err(StatusCode::from_u16(status).unwrap()),
        None => Ok(Json(json!({"name": format!("cachedContents/c{}", asked.len()),
            "expireTime": provider.expire.lock().unwrap().clone()}))),
    }
}

async fn serve(provider: Arc<Provider>) -> String {
    let create = |State(provider): State<Arc<Provider>>, headers: HeaderMap, Json(body): Json<Value>| async move {
        answer(&provider, "create", &headers, body)
    };
    let refresh = |State(provider): State<Arc<Provider>>,
                   Path(id): Path<String>,
                   headers: HeaderMap,
                   Json(body): Json<Value>| async move {
        answer(&provider, &format!("refresh {id}"), &headers, body)
    };
    let app = Router::new()
        .route("/v1beta/cachedContents", post(create))
        .route("/v1beta/cachedContents/{id}", patch(refresh))
        .with_state(provider);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}/v1beta")
}

/// A wall clock under the test's hand.
#[derive(Clone)]
struct Wall(Arc<Mutex<SystemTime>>);

impl Clock for Wall {
    fn now(&self) -> std::time::Instant {
        SystemClock.now()
    }

    fn wall(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Sleep {
        SystemClock.sleep_until(deadline)
    }
}

struct Case {
    site: Site,
    provider: Arc<Provider>,
    wall: Wall,
    runner: Runner,
    n: usize,
}

impl Case {
    async fn new(retention: Retention) -> Self {
        let provider = Arc::new(Provider::default());
        let base_url = serve(Arc::clone(&provider)).await;
        let wall = Wall(Arc::new(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000))));
        let site = Site::new();
        let cache = GeminiCache::new(&base_url, "secret", retention).unwrap();
        let runner = site.runner().with_prompt_cache(Arc::new(cache)).with_clock(Arc::new(wall.clone()));
        let case = Self { site, provider, wall, runner, n: 0 };
        case.expires_in(retention_secs(retention));
        case
    }

    fn expires_in(&self, seconds: u64) {
        let end = self.wall.wall() + Duration::from_secs(seconds);
        let end = jiff_free(end);
        *self.provider.expire.lock().unwrap() = end;
    }

    fn pass(&self, seconds: u64) {
        *self.wall.0.lock().unwrap() += Duration::from_secs(seconds);
    }

    fn turn(&mut self) -> Turn {
        self.n += 1;
        let mut turn = self.site.turn(&format!("r{}", self.n), "hi");
        turn.candidates = vec![Candidate::new("google", "gemini-x")];
        turn.tools = vec![ToolSpec {
            name: "t".into(),
            description: "d".into(),
            parameters: json!({"type": "object"}),
        }];
        turn
    }

    /// Runs a turn; gives the cache that the model was asked with.
    async fn asked_with(&mut self) -> Option<String> {
        let turn = self.turn();
        self.asked_with_turn(&turn).await
    }

    async fn asked_with_turn(&mut self, turn: &Turn) -> Option<String> {
        let model = Scripted::new([plain()]);
        let outcome = self.runner.run(turn, &model, &Tools, &mut Nothing, &Stop::new()).await;
        assert!(matches!(outcome, RunOutcome::Replied(_)), "{outcome:?}");
        let asked = model.asked.lock().unwrap();
        asked[0].cached_content.clone()
    }

    fn calls(&self) -> Vec<String> {
        self.provider.asked.lock().unwrap().iter().map(|(what, _, _)| what.clone()).collect()
    }
}

fn plain() -> Play {
    play(|_: &ModelRequest| Ok(ModelReply::text("ok")))
}

fn retention_secs(retention: Retention) -> u64 {
    match retention {
        Retention::Short => 300,
        Retention::Long => 3600,
    }
}

/// RFC 3339 of a whole second in 2027, without another crate.
fn jiff_free(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() - 1_800_000_000;
    // 1,800,000,000 is 2027-01-15T08:00:00Z.
    format!("2027-01-15T{:02}:{:02}:{:02}Z", 8 + seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[tokio::test]
async fn a_cache_is_created_once_and_reused_by_later_turns() {
    let mut case = Case::new(Retention::Short).await;
    assert_eq!(case.asked_with().await.as_deref(), Some("cachedContents/c1"));
    assert_eq!(case.asked_with().await.as_deref(), Some("cachedContents/c1"));
    assert_eq!(case.calls(), ["create"]);
    let (_, body, key) = case.provider.asked.lock().unwrap()[0].clone();
    assert_eq!(key, "secret");
    assert_eq!(body["model"], "models/gemini-x");
    assert_eq!(body["ttl"], "300s");
    assert_eq!(body["systemInstruction"]["parts"][0]["text"], "be brief");
    assert_eq!(body["tools"][0]["functionDeclarations"][0]["name"], "t");
    let transcript = std::fs::read_to_string(&case.site.path).unwrap();
    assert!(transcript.contains("moorline.prompt-cache") && transcript.contains("cachedContents/c1"));
    assert!(!transcript.contains("secret") && !transcript.contains("be brief"));
}

#[tokio::test]
async fn a_cache_in_its_refresh_window_is_refreshed() {
    for (retention, window) in [(Retention::Short, 30), (Retention::Long, 300)] {
        let mut case = Case::new(retention).await;
        case.asked_with().await;
        case.pass(retention_secs(retention) - window - 1);
        assert_eq!(case.asked_with().await.as_deref(), Some("cachedContents/c1"));
        assert_eq!(case.calls(), ["create"], "not yet");
        case.pass(1);
        case.expires_in(retention_secs(retention));
        assert_eq!(case.asked_with().await.as_deref(), Some("cachedContents/c1"));
        assert_eq!(case.calls(), ["create", "refresh c1"]);
        case.pass(window + 10);
        assert_eq!(case.asked_with().await.as_deref(), Some("cachedContents/c1"));
        assert_eq!(case.calls().len(), 2, "the new end is stored");
    }
}

#[tokio::test]
async fn a_cache_that_cannot_be_refreshed_is_used_until_it_ends() {
    let mut case = Case::new(Retention::Short).await;
    case.asked_with().await;
    case.pass(280);
    *case.provider.refuses.lock().unwrap() = Some(500);
    assert_eq!(case.asked_with().await.as_deref(), Some("cachedContents/c1"));
    *case.provider.refuses.lock().unwrap() = None;
    case.pass(20);
    case.expires_in(300);
    assert_eq!(case.asked_with().await.as_deref(), Some("cachedContents/c3"), "it has ended: another one");
}

#[tokio::test]
async fn after_a_failure_the_provider_is_left_alone_for_ten_minutes() {
    let mut case = Case::new(Retention::Short).await;
    *case.provider.refuses.lock().unwrap() = Some(403);
    assert_eq!(case.asked_with().await, None, "the turn goes on without a cache");
    *case.provider.refuses.lock().unwrap() = None;
    case.pass(599);
    assert_eq!(case.asked_with().await, None);
    assert_eq!(case.calls(), ["create"]);
    case.pass(1);
    case.expires_in(300);
    assert_eq!(case.asked_with().await.as_deref(), Some("cachedContents/c2"));
}

#[tokio::test]
async fn another_model_prompt_or_set_of_tools_has_its_own_cache() {
    let mut case = Case::new(Retention::Short).await;
    case.asked_with().await;
    let mut others = Vec::new();
    let mut turn = case.turn();
    turn.candidates = vec![Candidate::new("google", "gemini-y")];
    others.push(turn);
    let mut turn = case.turn();
    turn.system = "be long".into();
    others.push(turn);
    let mut turn = case.turn();
    turn.tools.clear();
    others.push(turn);
    for (n, turn) in others.iter().enumerate() {
        assert_eq!(case.asked_with_turn(turn).await, Some(format!("cachedContents/c{}", n + 2)));
    }
    assert_eq!(case.asked_with().await.as_deref(), Some("cachedContents/c1"));
}

#[tokio::test]
async fn an_explicit_cache_is_respected() {
    let mut case = Case::new(Retention::Short).await;
    let mut turn = case.turn();
    turn.candidates[0].cached_content = Some("cachedContents/mine".into());
    assert_eq!(case.asked_with_turn(&turn).await.as_deref(), Some("cachedContents/mine"));
    assert!(case.calls().is_empty());
}

#[tokio::test]
async fn other_providers_have_no_cache_there() {
    let mut case = Case::new(Retention::Short).await;
    let mut turn = case.turn();
    turn.candidates = vec![Candidate::new("anthropic", "x")];
    assert_eq!(case.asked_with_turn(&turn).await, None);
    assert!(case.calls().is_empty());
}

#[tokio::test]
async fn a_takeover_that_is_met_while_storing_reaches_the_turn() {
    let mut case = Case::new(Retention::Short).await;
    let turn = case.turn();
    let path = case.site.path.clone();
    *case.provider.before_answer.lock().unwrap() = Some(Box::new(move || {
        foreign(&path, &foreign_user(&path, "me first"));
    }));
    let model = Scripted::default();
    let outcome = case.runner.run(&turn, &model, &Tools, &mut Nothing, &Stop::new()).await;
    let RunOutcome::Requeue(wire) = outcome else { panic!("{outcome:?}") };
    assert_eq!(wire.code, WireCode::Known(Code::Coordination(Coordination::SessionTakeover)));
    assert_eq!(model.calls(), 0, "the model is not asked for a reply that nobody can write");
}

#[tokio::test]
async fn the_lock_is_free_while_the_provider_is_asked() {
    let mut case = Case::new(Retention::Short).await;
    let lock = case.site.dir.path().join("s1.jsonl.lock");
    let seen = Arc::new(Mutex::new(None));
    *case.provider.before_answer.lock().unwrap() = Some(Box::new({
        let seen = Arc::clone(&seen);
        move || *seen.lock().unwrap() = Some(lock.exists())
    }));
    case.asked_with().await;
    assert_eq!(*seen.lock().unwrap(), Some(false));
}

#[tokio::test]
async fn an_endpoint_that_does_not_exist_costs_nothing_but_the_cache() {
    let site = Site::new();
    let cache = GeminiCache::new("http://127.0.0.1:9", "secret", Retention::Short).unwrap();
    let runner = site.runner().with_prompt_cache(Arc::new(cache));
    let mut turn = site.turn("r1", "hi");
    turn.candidates = vec![Candidate::new("google", "g")];
    let outcome = runner.run(&turn, &Scripted::new([plain()]), &Tools, &mut Nothing, &Stop::new()).await;
    assert!(matches!(outcome, RunOutcome::Replied(_)), "{outcome:?}");
}
