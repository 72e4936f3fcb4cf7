//! From the client's answer to the runner's reply. Pure.

use genai::chat::{
    ChatResponse, ContentPart, MessageContent, StopReason as Stopped, StreamEnd, Usage as Counted,
};
use moorline_failover::CallError;
use moorline_runner::{ModelReply, StopReason, ToolCall, Usage};
use serde_json::{Value, json};

use super::{failure::Asked, request::SIGNATURE};
use crate::settings::Api;

/// A whole answer.
pub(super) fn of_response(response: ChatResponse, asked: &Asked<'_>) -> Result<ModelReply, CallError> {
    let ChatResponse { content, stop_reason, usage, captured_raw_body, .. } = response;
    // Gateways answer 200 with an error inside when their upstream failed.
    let error =
        captured_raw_body.as_ref().filter(|body| body.get("error").is_some_and(|error| !error.is_null()));
    match error {
        Some(body) if content.is_empty() => Err(asked.answered_with(body)),
        Some(_) | None => made(content, stop_reason, usage, asked),
    }
}

/// The end of a stream, with all that was said.
pub(super) fn of_end(end: StreamEnd, api: Api, asked: &Asked<'_>) -> Result<ModelReply, CallError> {
    let StreamEnd { captured_usage, captured_stop_reason, captured_content, .. } = end;
    // These two have no last word but the reason, so the client takes every end for one.
    let needs_reason = match api {
        Api::Gemini | Api::Ollama => true,
        Api::OpenAi | Api::Anthropic => false,
    };
    if needs_reason && captured_stop_reason.is_none() {
        return Err(asked.broken());
    }
    made(
        captured_content.unwrap_or_default(),
        captured_stop_reason,
        captured_usage.unwrap_or_default(),
        asked,
    )
}

fn made(
    content: MessageContent,
    stopped: Option<Stopped>,
    counted: Counted,
    asked: &Asked<'_>,
) -> Result<ModelReply, CallError> {
    let text = content.texts().concat();
    let mut tool_calls = Vec::new();
    let mut signed = Vec::new();
    for part in content.into_parts() {
        if let ContentPart::ToolCall(call) = part {
            signed.push(call.thought_signatures.and_then(|all| all.into_iter().next()));
            let arguments = if call.fn_arguments.is_null() { json!({}) } else { call.fn_arguments };
            tool_calls.push(ToolCall { id: call.call_id, name: call.fn_name, arguments });
        }
    }
    let stop = match stopped {
        Some(Stopped::MaxTokens(_)) => StopReason::Length,
        Some(Stopped::ContentFilter(_)) if text.is_empty() && tool_calls.is_empty() => {
            return Err(asked.filtered());
        }
        Some(
            Stopped::Completed(_)
            | Stopped::ToolCall(_)
            | Stopped::ContentFilter(_)
            | Stopped::StopSequence(_)
            | Stopped::Other(_),
        )
        | None
            if tool_calls.is_empty() =>
        {
            StopReason::Stop
        }
        Some(_) | None => StopReason::ToolUse,
    };
    let content = blocks(&text, &tool_calls, signed);
    Ok(ModelReply { text, tool_calls, stop, usage: usage(&counted), content })
}

/// The transcript's blocks, where they must keep more than text and calls: a provider's signatures.
fn blocks(text: &str, calls: &[ToolCall], signed: Vec<Option<String>>) -> Vec<Value> {
    if signed.iter().all(Option::is_none) {
        return Vec::new();
    }
    let text = (!text.is_empty()).then(|| json!({"type": "text", "text": text}));
    let calls = calls.iter().zip(signed).map(|(call, signature)| {
        let ToolCall { id, name, arguments } = call;
        let mut block = json!({"type": "toolCall", "id": id, "name": name, "arguments": arguments});
        if let Some(signature) = signature {
            block[SIGNATURE] = signature.into();
        }
        block
    });
    text.into_iter().chain(calls).collect()
}

/// Providers count what was cached as a part of what was sent; the transcript keeps them apart.
fn usage(counted: &Counted) -> Usage {
    let tokens = |count: Option<i32>| u64::try_from(count.unwrap_or(0)).unwrap_or(0);
    let details = counted.prompt_tokens_details.as_ref();
    let cache_read = tokens(details.and_then(|details| details.cached_tokens));
    let cache_write = tokens(details.and_then(|details| details.cache_creation_tokens));
    let input = tokens(counted.prompt_tokens).saturating_sub(cache_read + cache_write);
    Usage { input, output: tokens(counted.completion_tokens), cache_read, cache_write }
}
