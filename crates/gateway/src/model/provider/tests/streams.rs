//! Streamed answers: what is heard, what is kept, and what a break means before and after the first word.

use moorline_runner::{RunOutcome, StopReason};

use super::{failures::turn, server::Ends, *};

fn events(data: &[(&str, Value)]) -> String {
    data.iter()
        .map(|(name, data)| {
            let name = if name.is_empty() { String::new() } else { format!("event: {name}\n") };
            format!("{name}data: {data}\n\n")
        })
        .collect()
}

/// "hel", "lo", and a tool call, as the format streams them; the end apart.
fn stream(api: Api) -> (&'static str, String, String) {
    match api {
        Api::OpenAi => {
            let chunk = |delta: Value, finish: Value| {
                (
                    "",
                    json!({"id": "x", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}),
                )
            };
            let said = events(&[
                chunk(json!({"role": "assistant", "content": "hel"}), Value::Null),
                chunk(json!({"content": "lo"}), Value::Null),
            ]);
            let call = events(&[
                chunk(
                    json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "sessions_send", "arguments": "{\"to\":"}}]}),
                    Value::Null,
                ),
                chunk(
                    json!({"tool_calls": [{"index": 0, "function": {"arguments": "\"a\"}"}}]}),
                    Value::Null,
                ),
                chunk(json!({}), json!("tool_calls")),
            ]);
            ("text/event-stream", said, format!("{call}data: [DONE]\n\n"))
        }
        Api::Anthropic => {
            let delta = |text: &str| {
                (
                    "content_block_delta",
                    json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
                )
            };
            let said = events(&[
                (
                    "message_start",
                    json!({"type": "message_start", "message": {"id": "x", "role": "assistant", "usage": {"input_tokens": 1, "output_tokens": 1}}}),
                ),
                (
                    "content_block_start",
                    json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                ),
                delta("hel"),
                delta("lo"),
            ]);
            let end = events(&[
                ("content_block_stop", json!({"type": "content_block_stop", "index": 0})),
                (
                    "content_block_start",
                    json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "c1", "name": "sessions_send", "input": {}}}),
                ),
                (
                    "content_block_delta",
                    json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"to\":\"a\"}"}}),
                ),
                ("content_block_stop", json!({"type": "content_block_stop", "index": 1})),
                (
                    "message_delta",
                    json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}),
                ),
                ("message_stop", json!({"type": "message_stop"})),
            ]);
            ("text/event-stream", said, end)
        }
        Api::Gemini => {
            let parts = |parts: Value, more: Value| {
                let mut candidate = json!({"content": {"role": "model", "parts": parts}});
                if let Value::String(_) = more {
                    candidate["finishReason"] = more;
                }
                ("", json!({"candidates": [candidate]}))
            };
            let said = events(&[
                parts(json!([{"text": "hel"}]), Value::Null),
                parts(json!([{"text": "lo"}]), Value::Null),
            ]);
            let end = events(&[parts(
                json!([{"functionCall": {"id": "c1", "name": "sessions_send", "args": {"to": "a"}}}]),
                json!("STOP"),
            )]);
            ("text/event-stream", said, end)
        }
        Api::Ollama => {
            let line = |message: Value, done: bool| {
                format!(
                    "{}\n",
                    json!({"model": "m", "message": message, "done": done, "done_reason": done.then_some("stop")})
                )
            };
            let said = [
                line(json!({"role": "assistant", "content": "hel"}), false),
                line(json!({"role": "assistant", "content": "lo"}), false),
            ]
            .concat();
            let call = json!({"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "function": {"name": "sessions_send", "arguments": {"to": "a"}}}]});
            (
                "application/x-ndjson",
                said,
                [line(call, false), line(json!({"role": "assistant", "content": ""}), true)].concat(),
            )
        }
    }
}

fn streaming(api: Api, server: &Server, model: &str) -> ModelChoice {
    ModelChoice { stream: true, ..choice(api, server, model) }
}

#[tokio::test]
async fn words_are_heard_as_they_come_and_the_whole_is_kept() {
    for api in Api::ALL {
        let (kind, said_so_far, end) = stream(api);
        let server = Server::start([Answer::text(200, kind, &format!("{said_so_far}{end}"))]).await;
        let (answered, heard) = ask(&streaming(api, &server, "m"), said()).await;
        let answered = answered.unwrap_or_else(|error| panic!("{api:?}: {error:?}"));
        assert_eq!(heard, ["hel", "lo"], "{api:?}");
        assert_eq!((answered.text.as_str(), answered.stop), ("hello", StopReason::ToolUse), "{api:?}");
        assert_eq!(answered.tool_calls.len(), 1, "{api:?}");
        assert_eq!(answered.tool_calls[0].arguments, json!({"to": "a"}), "{api:?}");
        let asked = &server.seen()[0];
        let streams = asked.body["stream"] == true || asked.path.contains(":streamGenerateContent");
        assert!(streams, "{api:?}: {}", asked.path);
    }
}

#[tokio::test]
async fn a_stream_that_just_ends_is_no_answer() {
    for api in Api::ALL {
        for ends in [Ends::Well, Ends::Cut] {
            let (kind, said_so_far, _) = stream(api);
            let server = Server::start([Answer::text(200, kind, &said_so_far).ends(ends)]).await;
            let (answered, heard) = ask(&streaming(api, &server, "m"), said()).await;
            let error = answered.map(|reply| panic!("{api:?} {ends:?}: {reply:?}")).unwrap_err();
            assert_eq!(error.mark().code().to_string(), "provider.timeout", "{api:?} {ends:?}: {error:?}");
            assert_eq!(heard, ["hel", "lo"], "{api:?} {ends:?}");
        }
    }
}

#[tokio::test]
async fn an_error_inside_a_stream_has_its_class() {
    let (kind, said_so_far, _) = stream(Api::Anthropic);
    let error = events(&[(
        "error",
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    )]);
    let server = Server::start([Answer::text(200, kind, &format!("{said_so_far}{error}"))]).await;
    let (answered, _) = ask(&streaming(Api::Anthropic, &server, "m"), said()).await;
    assert_eq!(answered.unwrap_err().mark().code().to_string(), "provider.overloaded");
    let refused =
        Answer::json(429, &json!({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}))
            .header("retry-after", "9");
    let server = Server::start([refused]).await;
    let (answered, _) = ask(&streaming(Api::OpenAi, &server, "m"), said()).await;
    let error = answered.unwrap_err();
    assert_eq!(error.mark().code().to_string(), "provider.rate_limit");
}

/// A first model whose stream is cut after so much, and a second one that would answer.
async fn cut_after(first: &str) -> (RunOutcome, Vec<String>, usize) {
    let broken = Server::start([Answer::text(200, "text/event-stream", first).ends(Ends::Cut)]).await;
    let (kind, said_so_far, _) = stream(Api::OpenAi);
    let end =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let healthy = Server::start([Answer::text(200, kind, &format!("{said_so_far}{end}"))]).await;
    let second = streaming(Api::OpenAi, &healthy, "m2");
    let provider = ProviderChoice { name: "second".to_owned(), ..(*second.provider).clone() };
    let second = ModelChoice { provider: Arc::new(provider), ..second };
    let (models, dir) = models(&[streaming(Api::OpenAi, &broken, "m1"), second]);
    let (outcome, heard) = turn(&models, dir.path(), "run-1").await;
    (outcome, heard, healthy.seen().len())
}

#[tokio::test]
async fn a_stream_that_broke_off_is_repeated_only_before_its_first_word() {
    let (outcome, heard, second) = cut_after(": waiting\n\n").await;
    assert!(matches!(&outcome, RunOutcome::Replied(reply) if reply.text == "hello"), "{outcome:?}");
    assert_eq!((heard.concat().as_str(), second), ("hello", 1));
    let (outcome, heard, second) = cut_after(&stream(Api::OpenAi).1).await;
    let RunOutcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.wire.code.to_string(), "provider.timeout");
    assert_eq!((heard.concat().as_str(), second), ("hello", 0));
}
