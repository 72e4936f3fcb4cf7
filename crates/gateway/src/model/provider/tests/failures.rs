//! Failures as real servers give them: their class, the stated delay, and what they leave behind in errors.

use std::{error::Error, time::Duration};

use moorline_lock_core::{LockConfig, Locks};
use moorline_runner::{
    Incoming, RunOutcome, Runner, Stop, ToolContext, ToolEffect, ToolError, ToolHost, ToolResult, Turn,
};

use super::{
    server::{Ends, Server},
    *,
};

/// The class that is met innermost of all that an error prints, and everything that it prints.
fn class_and_all(error: &ModelError) -> (String, Option<Duration>, String) {
    let mut printed = format!("{error} {error:?}");
    let mut next = error.source();
    let mut delay = error.mark().retry_after();
    while let Some(cause) = next {
        printed.push_str(&format!(" | {cause} {cause:?}"));
        delay = delay.or(moorline_taxonomy::Mark::find(cause).and_then(|mark| mark.retry_after()));
        next = cause.source();
    }
    (error.mark().code().to_string(), delay, printed)
}

fn openai_error(status: u16, code: &str, message: &str) -> Answer {
    let body =
        json!({"error": {"message": message, "type": "invalid_request_error", "code": code, "param": null}});
    Answer::json(status, &body)
}

fn anthropic_error(status: u16, kind: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"type": "error", "error": {"type": kind, "message": message}}))
}

fn cases() -> Vec<(Api, Answer, &'static str, Option<u64>)> {
    let gemini_quota = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "40s"}]}});
    let shown_key =
        format!("Incorrect API key provided: {}**********{}. Find yours online.", &KEY[..8], &KEY[20..]);
    vec![
        (
            Api::OpenAi,
            openai_error(429, "rate_limit_exceeded", "Rate limit reached").header("retry-after", "7"),
            "provider.rate_limit",
            Some(7000),
        ),
        (
            Api::OpenAi,
            openai_error(429, "insufficient_quota", "You exceeded your current quota"),
            "provider.billing",
            None,
        ),
        (Api::OpenAi, openai_error(401, "invalid_api_key", &shown_key), "provider.auth", None),
        (Api::OpenAi, openai_error(401, "invalid_api_key", &format!("bad key {KEY}")), "provider.auth", None),
        (
            Api::OpenAi,
            openai_error(
                400,
                "context_length_exceeded",
                "This model's maximum context length is 8192 tokens.",
            ),
            "request.context_overflow",
            None,
        ),
        (
            Api::OpenAi,
            openai_error(400, "invalid_value", &format!("Invalid input: '{PROMPT}'")),
            "request.format",
            None,
        ),
        (Api::OpenAi, Answer::text(503, "text/html", "<html>upstream</html>"), "provider.overloaded", None),
        (Api::Anthropic, anthropic_error(529, "overloaded_error", "Overloaded"), "provider.overloaded", None),
        (
            Api::Anthropic,
            anthropic_error(429, "rate_limit_error", "too many").header("retry-after", "11"),
            "provider.rate_limit",
            Some(11_000),
        ),
        (
            Api::Anthropic,
            anthropic_error(
                400,
                "invalid_request_error",
                "prompt is too long: 210000 tokens > 200000 maximum",
            ),
            "request.context_overflow",
            None,
        ),
        (Api::Gemini, Answer::json(429, &gemini_quota), "provider.rate_limit", Some(40_000)),
        (
            Api::Gemini,
            Answer::json(
                400,
                &json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "API key not valid. Please pass a valid API key.",
                "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}}),
            ),
            "provider.auth",
            None,
        ),
        (
            Api::Ollama,
            Answer::json(404, &json!({"error": "model 'm' not found"})),
            "provider.model_not_found",
            None,
        ),
        // 200 with an error inside, as gateways send when their upstream failed.
        (
            Api::OpenAi,
            Answer::json(
                200,
                &json!({"error": {"code": 429, "message": "Rate limit exceeded", "metadata": {}}}),
            ),
            "provider.rate_limit",
            None,
        ),
        (
            Api::Gemini,
            Answer::json(
                200,
                &json!({"error": {"code": 503, "status": "UNAVAILABLE", "message": "overloaded"}}),
            ),
            "provider.overloaded",
            None,
        ),
        (
            Api::Gemini,
            Answer::json(200, &json!({"promptFeedback": {"blockReason": "SAFETY"}})),
            "request.content_policy",
            None,
        ),
        // Answers that are none.
        (Api::OpenAi, Answer::text(200, "application/json", "{\"choices\": ["), "provider.timeout", None),
        (Api::Anthropic, Answer::json(200, &json!({"content": 7})), "provider.timeout", None),
        (Api::OpenAi, Answer::text(200, "text/html", "<html>sign in</html>"), "provider.timeout", None),
        (
            Api::Anthropic,
            Answer::text(200, "application/json", "{\"content\": [").ends(Ends::Cut),
            "provider.timeout",
            None,
        ),
        (
            Api::OpenAi,
            Answer::text(302, "text/html", "").header("location", "http://127.0.0.1:9/v1/"),
            "provider.unknown",
            None,
        ),
        (
            Api::OpenAi,
            Answer::json(
                200,
                &json!({"model": "m", "choices": [{"finish_reason": "content_filter", "message": {"role": "assistant", "content": ""}}]}),
            ),
            "request.content_policy",
            None,
        ),
    ]
}

#[tokio::test]
async fn failures_have_their_class_and_print_neither_key_nor_prompt() {
    let mut wrong = Vec::new();
    for (api, answer, code, delay_ms) in cases() {
        let described = format!("{api:?} {} {}", answer.status, answer.body);
        let error = answered(api, answer).await.unwrap_err();
        let (found, delay, printed) = class_and_all(&error);
        if found != code {
            wrong.push(format!("{described}: {found}, not {code}"));
        }
        assert_eq!(delay.map(|delay| delay.as_millis() as u64), delay_ms, "{described}");
        for secret in [KEY, &KEY[..8], "walrus", "You are main"] {
            assert!(!printed.contains(secret), "{described} prints {secret}: {printed}");
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[tokio::test]
async fn what_the_provider_said_is_kept_in_one_sentence() {
    let error = answered(Api::OpenAi, openai_error(404, "model_not_found", "The model `m` does not exist"))
        .await
        .unwrap_err();
    let (_, _, printed) = class_and_all(&error);
    assert!(
        printed.contains("openai answered 404 (model_not_found): The model `m` does not exist"),
        "{printed}"
    );
}

#[tokio::test]
async fn silence_and_a_closed_door_are_the_providers() {
    let server = Server::start([Answer::json(200, &json!({})).ends(Ends::Never)]).await;
    let slow = choice(Api::OpenAi, &server, "m");
    let provider = ProviderChoice { timeout_ms: 300, ..(*slow.provider).clone() };
    let slow = ModelChoice { provider: Arc::new(provider), ..slow };
    let error = ask(&slow, said()).await.0.unwrap_err();
    let (code, _, printed) = class_and_all(&error);
    assert_eq!(code, "provider.timeout");
    assert!(printed.contains("no answer in time"), "{printed}");

    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let provider = ProviderChoice { endpoint: format!("http://{closed}/v1/"), ..(*slow.provider).clone() };
    let closed = ModelChoice { provider: Arc::new(provider), ..slow };
    let error = ask(&closed, said()).await.0.unwrap_err();
    let (code, _, printed) = class_and_all(&error);
    assert_eq!(code, "provider.timeout");
    assert!(printed.contains("no connection could be made"), "{printed}");
}

struct Tools;

#[async_trait::async_trait]
impl ToolHost for Tools {
    async fn call(&self, call: &ToolCall, _context: &ToolContext) -> Result<ToolResult, ToolError> {
        Ok(ToolResult { text: format!("{} says yes", call.arguments["to"]), is_error: false })
    }

    fn effect(&self, _name: &str) -> ToolEffect {
        ToolEffect::None
    }
}

/// A whole turn through the runner, as the gateway takes it.
pub(super) async fn turn(models: &Models, dir: &std::path::Path, run: &str) -> (RunOutcome, Vec<String>) {
    let turn = Turn {
        transcript: dir.join("s.jsonl"),
        session_key: "agent:main:x".to_owned(),
        run_id: run.to_owned(),
        message: Incoming { text: PROMPT.to_owned(), idempotency_key: run.to_owned(), ..Incoming::default() },
        system: "You are main.".to_owned(),
        tools: vec![ToolSpec {
            name: "sessions_send".to_owned(),
            description: String::new(),
            parameters: json!({"type": "object"}),
        }],
        candidates: models.candidates.clone(),
        ..Turn::default()
    };
    let runner = Runner::new(Locks::new(LockConfig::default())).with_cooldowns(Arc::clone(&models.cooldowns));
    let mut heard = Heard::default();
    let outcome = runner.run(&turn, models.model.as_ref(), &Tools, &mut heard, &Stop::new()).await;
    (outcome, heard.0)
}

#[tokio::test]
async fn a_limited_provider_is_left_alone_and_the_next_one_answers() {
    let limited = Server::start([
        openai_error(429, "rate_limit_exceeded", "Rate limit reached").header("retry-after", "3600")
    ])
    .await;
    let healthy = Server::start([Answer::json(200, &json!({"id": "x", "type": "message", "role": "assistant", "model": "m2",
        "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}}))])
    .await;
    let choices = [choice(Api::OpenAi, &limited, "m1"), choice(Api::Anthropic, &healthy, "m2")];
    let (models, dir) = models(&choices);
    let (outcome, _) = turn(&models, dir.path(), "run-1").await;
    assert!(matches!(&outcome, RunOutcome::Replied(reply) if reply.text == "hello"), "{outcome:?}");
    assert_eq!((limited.seen().len(), healthy.seen().len()), (1, 1));

    // Another process on the same state directory knows what cools.
    let state = StateDir::open(dir.path()).unwrap();
    let again = open(&choices, &state, |_| Some(KEY.to_owned())).unwrap();
    let (outcome, _) = turn(&again, dir.path(), "run-2").await;
    assert!(matches!(&outcome, RunOutcome::Replied(_)), "{outcome:?}");
    assert_eq!((limited.seen().len(), healthy.seen().len()), (1, 2));
    let bytes = std::fs::read(dir.path().join("cooldowns.sqlite")).unwrap();
    assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(dir.path().join("cooldowns.sqlite")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o077, 0);
}

#[tokio::test]
async fn a_turn_with_tools_goes_to_the_provider_and_back() {
    let server = Server::start([
        Answer::json(200, &json!({"id": "x", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
            "content": [{"type": "tool_use", "id": "c1", "name": "sessions_send", "input": {"to": "a"}},
                {"type": "tool_use", "id": "c2", "name": "sessions_send", "input": {"to": "b"}}],
            "usage": {"input_tokens": 1, "output_tokens": 1}})),
        Answer::json(200, &json!({"id": "y", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "both said yes"}], "usage": {"input_tokens": 1, "output_tokens": 1}})),
    ])
    .await;
    let (models, dir) = models(&[choice(Api::Anthropic, &server, "m")]);
    let (outcome, _) = turn(&models, dir.path(), "run-1").await;
    assert!(matches!(&outcome, RunOutcome::Replied(reply) if reply.text == "both said yes"), "{outcome:?}");
    let second = &server.seen()[1].body["messages"];
    assert_eq!(
        second[1]["content"][1],
        json!({"type": "tool_use", "id": "c2", "name": "sessions_send", "input": {"to": "b"}})
    );
    assert_eq!(
        second[2]["content"][1],
        json!({"type": "tool_result", "tool_use_id": "c2", "content": "\"b\" says yes"})
    );
}
