//! From the runner's request to the client's: system prompt, history, tools, and the provider-side cache. Pure.
//!
//! What must stay true: every call goes out with its result under the same id, in a form that the provider takes (a
//! conversation may have been begun by another one); a signature goes back only to the provider that made it.

use std::borrow::Cow;

use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ContentPart, MessageContent, Tool, ToolCall, ToolResponse,
};
use moorline_runner::{Message, ModelRequest, ToolSpec};
use serde_json::{Value, json};

use crate::settings::Api;

/// Where the transcript keeps a provider's signature of a tool call.
pub(super) const SIGNATURE: &str = "thoughtSignature";

/// The request and its options.
pub(super) fn chat(request: &ModelRequest, api: Api) -> (ChatRequest, ChatOptions) {
    let mut chat = ChatRequest::from_messages(messages(request, api));
    let mut options = ChatOptions::default();
    match (&request.cached_content, api) {
        // The cache holds system prompt and tools; the provider refuses them beside it.
        (Some(name), Api::Gemini) => options = options.with_extra_body(json!({"cachedContent": name})),
        (Some(_) | None, Api::OpenAi | Api::Anthropic | Api::Gemini | Api::Ollama) => {
            if !request.system.is_empty() {
                chat = chat.with_system(request.system.as_str());
            }
            if !request.tools.is_empty() {
                chat = chat.with_tools(request.tools.iter().map(tool));
            }
        }
    }
    (chat, options)
}

fn tool(spec: &ToolSpec) -> Tool {
    Tool::new(spec.name.as_str())
        .with_description(spec.description.as_str())
        .with_schema(spec.parameters.clone())
}

fn messages(request: &ModelRequest, api: Api) -> Vec<ChatMessage> {
    let mut messages: Vec<ChatMessage> = Vec::with_capacity(request.messages.len());
    let mut results: Vec<ToolResponse> = Vec::new();
    for message in &request.messages {
        if !matches!(message, Message::ToolResult { .. }) {
            flush(&mut results, &mut messages, api);
        }
        match message {
            Message::User { text, .. } => messages.push(ChatMessage::user(text.as_str())),
            Message::Assistant { text, calls, raw } => {
                let mut parts = Vec::with_capacity(calls.len() + 1);
                if !text.is_empty() {
                    parts.push(ContentPart::from_text(text.as_str()));
                }
                let own = raw.get("provider").and_then(Value::as_str) == Some(&request.candidate.provider);
                parts.extend(calls.iter().map(|call| {
                    ContentPart::ToolCall(ToolCall {
                        call_id: id(&call.id, api).into_owned(),
                        fn_name: call.name.clone(),
                        fn_arguments: call.arguments.clone(),
                        thought_signatures: signature(raw, &call.id).filter(|_| own).map(|one| vec![one]),
                    })
                }));
                messages.push(ChatMessage::assistant(MessageContent::from_parts(parts)));
            }
            Message::ToolResult { call_id, name, text, is_error, .. } => {
                // No format but one has a flag for it; the model reads the text in every one.
                let said = if *is_error { format!("The tool call failed: {text}") } else { text.clone() };
                results
                    .push(ToolResponse::new(id(call_id, api).into_owned(), said).with_fn_name(name.as_str()));
            }
        }
    }
    flush(&mut results, &mut messages, api);
    messages
}

/// The results of one reply: in one message for those that count roles, in one each for those that count messages.
fn flush(results: &mut Vec<ToolResponse>, messages: &mut Vec<ChatMessage>, api: Api) {
    let results = std::mem::take(results);
    match api {
        Api::Anthropic | Api::Gemini if results.is_empty() => {}
        Api::Anthropic | Api::Gemini => messages.push(ChatMessage::from(results)),
        Api::OpenAi | Api::Ollama => messages.extend(results.into_iter().map(ChatMessage::from)),
    }
}

/// An id as the provider takes it. Gemini's own, which the client makes up, hold characters that Anthropic refuses.
fn id(id: &str, api: Api) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match api {
        Api::Gemini => Cow::Borrowed(id),
        Api::OpenAi | Api::Anthropic | Api::Ollama if id.chars().all(plain) => Cow::Borrowed(id),
        Api::OpenAi | Api::Anthropic | Api::Ollama => {
            Cow::Owned(id.chars().map(|c| if plain(c) { c } else { '_' }).collect())
        }
    }
}

fn signature(raw: &Value, call_id: &str) -> Option<String> {
    let blocks = raw.get("content")?.as_array()?;
    let block = blocks.iter().find(|block| block.get("id").and_then(Value::as_str) == Some(call_id))?;
    block.get(SIGNATURE)?.as_str().map(str::to_owned)
}
