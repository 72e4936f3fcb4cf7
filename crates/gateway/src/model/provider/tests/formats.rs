//! What the providers receive and what is made of their answers, format by format.

use moorline_runner::{StopReason, Usage};

use super::*;

/// A conversation with all that a transcript can hold: two calls in one reply, a result, a failed one.
fn conversation() -> Vec<Message> {
    let user = |text: &str| Message::User { text: text.to_owned(), raw: Value::Null };
    let result = |id: &str, text: &str, is_error| Message::ToolResult {
        call_id: id.to_owned(),
        name: "sessions_send".to_owned(),
        text: text.to_owned(),
        is_error,
        raw: Value::Null,
    };
    vec![
        user("ask both"),
        Message::Assistant {
            text: "asking".to_owned(),
            calls: vec![call("call#sessions_send#0", "a"), call("c2", "b")],
            raw: json!({"provider": "gemini", "content": [
                {"type": "toolCall", "id": "call#sessions_send#0", "thoughtSignature": "c2ln"}]}),
        },
        result("call#sessions_send#0", "yes", false),
        result("c2", "gone", true),
        user("and now?"),
    ]
}

/// A reply of text alone, as the format has it.
fn reply(api: Api) -> Value {
    match api {
        Api::OpenAi => json!({"id": "x", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15, "prompt_tokens_details": {"cached_tokens": 4}}}),
        Api::Anthropic => json!({"id": "x", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 8, "cache_read_input_tokens": 4, "output_tokens": 3}}),
        Api::Gemini => {
            json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "hello"}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 12, "cachedContentTokenCount": 4, "candidatesTokenCount": 3, "totalTokenCount": 15}})
        }
        Api::Ollama => {
            json!({"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": true, "done_reason": "stop",
            "message": {"role": "assistant", "content": "hello"}, "prompt_eval_count": 12, "prompt_eval_cached_count": 4, "eval_count": 3})
        }
    }
}

/// A reply with two tool calls.
fn calls(api: Api) -> Value {
    match api {
        Api::OpenAi => {
            json!({"id": "x", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "asking", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "sessions_send", "arguments": "{\"to\":\"a\"}"}},
                {"id": "c2", "type": "function", "function": {"name": "sessions_send", "arguments": "{\"to\":\"b\"}"}}]}}]})
        }
        Api::Anthropic => {
            json!({"id": "x", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
            "content": [{"type": "text", "text": "asking"},
                {"type": "tool_use", "id": "c1", "name": "sessions_send", "input": {"to": "a"}},
                {"type": "tool_use", "id": "c2", "name": "sessions_send", "input": {"to": "b"}}],
            "usage": {"input_tokens": 1, "output_tokens": 1}})
        }
        Api::Gemini => {
            json!({"candidates": [{"finishReason": "STOP", "content": {"role": "model", "parts": [{"text": "asking"},
                {"functionCall": {"id": "c1", "name": "sessions_send", "args": {"to": "a"}}, "thoughtSignature": "c2ln"},
                {"functionCall": {"id": "c2", "name": "sessions_send", "args": {"to": "b"}}}]}}]})
        }
        Api::Ollama => {
            json!({"model": "m", "done": true, "done_reason": "stop", "message": {"role": "assistant", "content": "asking",
            "tool_calls": [{"id": "c1", "function": {"name": "sessions_send", "arguments": {"to": "a"}}},
                {"id": "c2", "function": {"name": "sessions_send", "arguments": {"to": "b"}}}]}})
        }
    }
}

/// The request of [`conversation`], as the format documents it.
fn expected(api: Api) -> (&'static str, (&'static str, &'static str), Value) {
    let schema = json!({"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]});
    let function = json!({"type": "function", "function": {"name": "sessions_send", "description": "Send a message.", "parameters": schema}});
    match api {
        Api::OpenAi => (
            "/v1/chat/completions",
            ("authorization", "Bearer "),
            json!({"model": "m", "stream": false, "tools": [function], "messages": [
                {"role": "system", "content": "You are main."},
                {"role": "user", "content": "ask both"},
                {"role": "assistant", "content": "asking", "tool_calls": [
                    {"id": "call_sessions_send_0", "type": "function", "function": {"name": "sessions_send", "arguments": "{\"to\":\"a\"}"}},
                    {"id": "c2", "type": "function", "function": {"name": "sessions_send", "arguments": "{\"to\":\"b\"}"}}]},
                {"role": "tool", "tool_call_id": "call_sessions_send_0", "content": "yes"},
                {"role": "tool", "tool_call_id": "c2", "content": "The tool call failed: gone"},
                {"role": "user", "content": "and now?"}]}),
        ),
        Api::Anthropic => (
            "/v1/messages",
            ("x-api-key", ""),
            json!({"model": "m", "stream": false, "system": "You are main.",
                "tools": [{"name": "sessions_send", "description": "Send a message.", "input_schema": schema}],
                "messages": [
                    {"role": "user", "content": "ask both"},
                    {"role": "assistant", "content": [{"type": "text", "text": "asking"},
                        {"type": "tool_use", "id": "call_sessions_send_0", "name": "sessions_send", "input": {"to": "a"}},
                        {"type": "tool_use", "id": "c2", "name": "sessions_send", "input": {"to": "b"}}]},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "call_sessions_send_0", "content": "yes"},
                        {"type": "tool_result", "tool_use_id": "c2", "content": "The tool call failed: gone"}]},
                    {"role": "user", "content": "and now?"}]}),
        ),
        Api::Gemini => (
            "/v1/models/m:generateContent",
            ("x-goog-api-key", ""),
            json!({"systemInstruction": {"parts": [{"text": "You are main."}]},
                "tools": [{"functionDeclarations": [{"name": "sessions_send", "description": "Send a message.", "parametersJsonSchema": schema}]}],
                "contents": [
                    {"role": "user", "parts": [{"text": "ask both"}]},
                    {"role": "model", "parts": [{"text": "asking"},
                        {"functionCall": {"name": "sessions_send", "args": {"to": "a"}}, "thoughtSignature": "c2ln"},
                        {"functionCall": {"id": "c2", "name": "sessions_send", "args": {"to": "b"}}}]},
                    {"role": "user", "parts": [
                        {"functionResponse": {"name": "sessions_send", "response": {"name": "sessions_send", "content": "yes"}}},
                        {"functionResponse": {"id": "c2", "name": "sessions_send", "response": {"name": "sessions_send", "content": "The tool call failed: gone"}}}]},
                    {"role": "user", "parts": [{"text": "and now?"}]}]}),
        ),
        Api::Ollama => (
            "/v1/api/chat",
            ("authorization", "Bearer "),
            json!({"model": "m", "stream": false, "tools": [function], "messages": [
                {"role": "system", "content": "You are main."},
                {"role": "user", "content": "ask both"},
                {"role": "assistant", "content": "asking", "tool_calls": [
                    {"function": {"name": "sessions_send", "arguments": {"to": "a"}}},
                    {"function": {"name": "sessions_send", "arguments": {"to": "b"}}}]},
                {"role": "tool", "content": "yes"},
                {"role": "tool", "content": "The tool call failed: gone"},
                {"role": "user", "content": "and now?"}]}),
        ),
    }
}

/// Whether `found` has all of `wanted`; what the client adds beside it is the client's.
fn holds(found: &Value, wanted: &Value, at: &str) -> Vec<String> {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .flat_map(|(key, value)| match found.get(key) {
                Some(found) => holds(found, value, &format!("{at}/{key}")),
                None => vec![format!("{at}/{key} is missing")],
            })
            .collect(),
        (Value::Array(found), Value::Array(wanted)) if found.len() == wanted.len() => found
            .iter()
            .zip(wanted)
            .enumerate()
            .flat_map(|(number, (found, wanted))| holds(found, wanted, &format!("{at}/{number}")))
            .collect(),
        (found, wanted) if found == wanted => Vec::new(),
        (found, wanted) => vec![format!("{at} is {found}, not {wanted}")],
    }
}

#[tokio::test]
async fn a_conversation_goes_out_whole_and_its_reply_comes_back() {
    for api in Api::ALL {
        let server = Server::start([Answer::json(200, &reply(api))]).await;
        let (answered, heard) = ask(&choice(api, &server, "m"), conversation()).await;
        let answered = answered.unwrap_or_else(|error| panic!("{api:?}: {error:?}"));
        assert_eq!((answered.text.as_str(), answered.stop), ("hello", StopReason::Stop), "{api:?}");
        assert_eq!(answered.usage, Usage { input: 8, output: 3, cache_read: 4, cache_write: 0 }, "{api:?}");
        assert!(heard.is_empty(), "not streamed unless it is asked for");
        let (path, (header, scheme), body) = expected(api);
        let seen = server.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].path, path);
        assert_eq!(seen[0].headers[header], format!("{scheme}{KEY}"), "{api:?}");
        assert_eq!(holds(&seen[0].body, &body, ""), [""; 0], "{api:?}: {:#}", seen[0].body);
        assert!(!seen[0].body.to_string().contains(KEY) && !seen[0].path.contains(KEY));
    }
}

#[tokio::test]
async fn several_tool_calls_of_one_reply_come_back_in_order() {
    for api in Api::ALL {
        let answered = answered(api, Answer::json(200, &calls(api))).await.unwrap();
        assert_eq!((answered.text.as_str(), answered.stop), ("asking", StopReason::ToolUse), "{api:?}");
        assert_eq!(answered.tool_calls.len(), 2, "{api:?}");
        let arguments: Vec<_> = answered.tool_calls.iter().map(|call| &call.arguments["to"]).collect();
        assert_eq!(arguments, ["a", "b"], "{api:?}");
        assert_ne!(answered.tool_calls[0].id, answered.tool_calls[1].id, "{api:?}");
        let kept = answered.content.iter().find_map(|block| block["thoughtSignature"].as_str());
        assert_eq!(kept, (api == Api::Gemini).then_some("c2ln"), "{api:?}");
    }
}

#[tokio::test]
async fn what_a_cache_holds_is_not_sent_beside_it() {
    let server = Server::start([Answer::json(200, &reply(Api::Gemini))]).await;
    let choice = choice(Api::Gemini, &server, "m");
    let (models, _dir) = models(std::slice::from_ref(&choice));
    let request =
        ModelRequest { cached_content: Some("cachedContents/7".to_owned()), ..request(&choice, said()) };
    models.model.call(&request, &mut Heard::default()).await.unwrap();
    let body = &server.seen()[0].body;
    assert_eq!(body["cachedContent"], "cachedContents/7");
    assert!(body.get("systemInstruction").is_none() && body.get("tools").is_none(), "{body:#}");
}

#[tokio::test]
async fn a_server_that_wants_no_key_gets_none_of_ours() {
    let server = Server::start([Answer::json(200, &reply(Api::OpenAi))]).await;
    let with_key = choice(Api::OpenAi, &server, "m");
    let provider = ProviderChoice { key_env: None, ..(*with_key.provider).clone() };
    let choice = ModelChoice { provider: Arc::new(provider), ..with_key };
    ask(&choice, said()).await.0.unwrap();
    assert_eq!(server.seen()[0].headers["authorization"], "Bearer none");
}

#[test]
fn a_key_that_is_missing_or_no_key_is_refused_by_its_name() {
    let choice = |name: &str| ModelChoice {
        provider: Arc::new(ProviderChoice {
            name: "openai".to_owned(),
            api: Api::OpenAi,
            endpoint: "http://127.0.0.1:1/".to_owned(),
            key_env: Some(name.to_owned()),
            timeout_ms: 1000,
        }),
        model: "m".to_owned(),
        window: None,
        stream: false,
    };
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    for (value, says) in [(None, "is not set"), (Some("sk-secret\nvalue"), "cannot be a key")] {
        let environment = |_: &str| value.map(str::to_owned);
        let error = open(&[choice("NO_SUCH_KEY")], &state, environment).err().unwrap().to_string();
        assert!(error.contains("NO_SUCH_KEY") && error.contains(says), "{error}");
        assert!(!error.contains("sk-secret"), "{error}");
    }
}
