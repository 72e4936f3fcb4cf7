//! What a run writes: the message objects of the OpenClaw generation.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::{
    message::ToolCall,
    model::{Candidate, ModelReply, Usage},
    tool::ToolResult,
    turn::Incoming,
};
use crate::clock;

pub(super) fn user(message: &Incoming, key: &str, at: SystemTime) -> Value {
    let mut value = json!({
        "role": "user",
        "content": [{"type": "text", "text": message.text}],
        "timestamp": clock::millis(at),
        "idempotencyKey": key,
    });
    if !message.provenance.is_null() {
        value["provenance"] = message.provenance.clone();
    }
    value
}

pub(super) fn assistant(reply: &ModelReply, candidate: &Candidate, at: SystemTime) -> Value {
    let content = if reply.content.is_empty() {
        let text = (!reply.text.is_empty()).then(|| json!({"type": "text", "text": reply.text}));
        let calls = reply.tool_calls.iter().map(
            |call| json!({"type": "toolCall", "id": call.id, "name": call.name, "arguments": call.arguments}),
        );
        text.into_iter().chain(calls).collect()
    } else {
        reply.content.clone()
    };
    let Usage { input, output, cache_read, cache_write } = reply.usage;
    json!({
        "role": "assistant",
        "content": content,
        "api": "moorline",
        "provider": candidate.provider,
        "model": candidate.model,
        "usage": {
            "input": input, "output": output, "cacheRead": cache_read, "cacheWrite": cache_write,
            "totalTokens": input + output + cache_read + cache_write,
            "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "total": 0},
        },
        "stopReason": reply.stop.as_str(),
        "timestamp": clock::millis(at),
    })
}

pub(super) fn tool_result(call: &ToolCall, result: &ToolResult, at: SystemTime) -> Value {
    json!({
        "role": "toolResult",
        "toolCallId": call.id,
        "toolName": call.name,
        "content": [{"type": "text", "text": result.text}],
        "isError": result.is_error,
        "timestamp": clock::millis(at),
    })
}
