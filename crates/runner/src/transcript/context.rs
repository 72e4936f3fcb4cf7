//! From the active branch to what the model is told. Pure.
//!
//! The decision: messages carry the text that every provider needs and the message object as it is in the transcript, for
//! providers that understand more of it (images, signed reasoning). What must stay true: every tool call has one result and
//! every result its call, or providers refuse the whole conversation; what was delivered elsewhere is not said twice.

use serde_json::{Value, json};

use super::{
    entry::{Entry, Kind, Origin, text_of},
    session::Session,
};
use crate::run::{Message, ToolCall};

/// The result that stands for one that was never recorded.
const INTERRUPTED: &str =
    "The run ended before this tool's result was recorded. It may or may not have had its effect.";

impl Session {
    /// The conversation as a model is told it: the active branch from the latest compaction on, with announcements that were
    /// put beside it.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        let entries = self.entries();
        let compaction = self.branch.iter().rposition(|index| entries[*index].kind() == Kind::Compaction);
        let from = compaction.map(|at| {
            let value = entries[self.branch[at]].value();
            let kept = value.get("firstKeptEntryId").and_then(Value::as_str).map(str::to_owned);
            let summary = value.get("summary").and_then(Value::as_str).unwrap_or_default();
            messages.push(user(
                format!("The conversation before this point was summarised:\n\n{summary}"),
                &value,
            ));
            let is_kept = |index: &usize| kept.is_some() && entries[*index].id() == kept.as_deref();
            self.branch.iter().position(is_kept).unwrap_or(at)
        });
        let told = self.with_announcements(&self.branch[from.unwrap_or(0)..]);
        messages.extend(told.into_iter().filter_map(message_of));
        paired(messages)
    }

    /// The entries of a piece of the branch, and the announcements beside it. One that came while a run was under way stands
    /// beside the branch; it is told where it came.
    pub(super) fn with_announcements(&self, branch: &[usize]) -> Vec<&Entry> {
        let entries = self.entries();
        let first = branch.iter().copied().min().unwrap_or(entries.len());
        let beside =
            |index: &usize| entries[*index].origin("") == Origin::Announce && !branch.contains(index);
        let mut announced = (first..entries.len()).filter(beside).peekable();
        let mut told = Vec::with_capacity(branch.len());
        for index in branch {
            while let Some(before) = announced.next_if(|announced| announced < index) {
                told.push(&entries[before]);
            }
            told.push(&entries[*index]);
        }
        told.extend(announced.map(|index| &entries[index]));
        told
    }
}

/// What an entry says to a model; most kinds say nothing.
pub(crate) fn message_of(entry: &Entry) -> Option<Message> {
    let value = entry.value();
    match entry.kind() {
        Kind::Message if entry.transcript_only => None,
        Kind::Message => from_message(value.get("message")?),
        Kind::CustomMessage => Some(user(text_of(value.get("content")?), &value)),
        Kind::BranchSummary => {
            let summary = value.get("summary").and_then(Value::as_str)?;
            Some(user(format!("A side branch of this conversation was summarised:\n\n{summary}"), &value))
        }
        Kind::Header
        | Kind::Custom
        | Kind::Label
        | Kind::SessionInfo
        | Kind::Leaf
        | Kind::Compaction
        | Kind::Setting
        | Kind::Other => None,
    }
}

fn user(text: String, raw: &Value) -> Message {
    Message::User { text, raw: raw.clone() }
}

fn from_message(message: &Value) -> Option<Message> {
    let field = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let text = text_of(message.get("content").unwrap_or(&Value::Null));
    match message.get("role").and_then(Value::as_str)? {
        "user" | "custom" | "hookMessage" => Some(user(text, message)),
        "bashExecution" => Some(user(format!("$ {}\n{}", field("command"), field("output")), message)),
        "assistant" => {
            let calls = calls_of(message);
            // A failed call leaves an empty message behind; providers refuse those.
            (!text.is_empty() || !calls.is_empty()).then(|| Message::Assistant {
                text,
                calls,
                raw: message.clone(),
            })
        }
        "toolResult" => Some(Message::ToolResult {
            call_id: field("toolCallId"),
            name: field("toolName"),
            text,
            is_error: message.get("isError").and_then(Value::as_bool).unwrap_or(false),
            raw: message.clone(),
        }),
        _ => None,
    }
}

fn calls_of(message: &Value) -> Vec<ToolCall> {
    let blocks = message.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let call = |block: &Value| {
        let text = |key: &str| block.get(key).and_then(Value::as_str).map(str::to_owned);
        (text("type")? == "toolCall").then_some(())?;
        Some(ToolCall {
            id: text("id")?,
            name: text("name")?,
            arguments: block.get("arguments").cloned().unwrap_or(Value::Null),
        })
    };
    blocks.iter().filter_map(call).collect()
}

/// Gives every call a result right after it, and drops results without a call. What was said between a call and its result,
/// as by an announcement that came while the tool worked, is told behind the result.
pub(crate) fn paired(messages: Vec<Message>) -> Vec<Message> {
    let mut out = Vec::with_capacity(messages.len());
    let mut open: Vec<ToolCall> = Vec::new();
    let mut between = Vec::new();
    for message in messages {
        match &message {
            Message::ToolResult { call_id, .. } => {
                let Some(at) = open.iter().position(|call| call.id == *call_id) else { continue };
                open.remove(at);
                out.push(message);
                if open.is_empty() {
                    out.append(&mut between);
                }
            }
            Message::User { .. } if open.is_empty() => out.push(message),
            Message::User { .. } => between.push(message),
            Message::Assistant { calls, .. } => {
                close(&mut open, &mut out);
                out.append(&mut between);
                open.clone_from(calls);
                out.push(message);
            }
        }
    }
    close(&mut open, &mut out);
    out.append(&mut between);
    out
}

fn close(open: &mut Vec<ToolCall>, out: &mut Vec<Message>) {
    out.extend(open.drain(..).map(|call| Message::ToolResult {
        raw: json!({"role": "toolResult", "toolCallId": call.id, "toolName": call.name,
            "content": [{"type": "text", "text": INTERRUPTED}], "isError": true}),
        call_id: call.id,
        name: call.name,
        text: INTERRUPTED.to_owned(),
        is_error: true,
    }));
}
