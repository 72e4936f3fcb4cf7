//! What a key of an error means to the reader, whichever client wrote it.
//!
//! One function from the key's spelling to its role, asked once for each key. The option not taken is a struct per client
//! library: an error is wrapped by several of them, and the same field has a dozen spellings.
//!
//! What must stay true: what the caller *sent* has the role [`Role::Sent`] in every spelling, so that an echoed message
//! never classifies its own failure.

/// The role of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The request that failed, or what the caller said beside it.
    Sent,
    /// The request of one client and the answer of another: an answer only beneath [`Role::Output`].
    Payload,
    /// Beneath it stands what a client would answer.
    Output,
    /// The channel's name.
    Channel,
    Headers,
    /// A rate limit for everybody.
    Global,
    DelaySeconds,
    DelayMillis,
    /// A chat's new address.
    Moved,
    Status,
    Code,
    /// A narrower code, asked first.
    Subcode,
    Message,
    /// A code in some clients, a text in others.
    CodeOrMessage,
    /// The system call that failed.
    Syscall,
    /// What the caller knows of the effect.
    Effect,
    /// A name of the thing, or of the error.
    Id,
    /// Says of the channel that it answers in its shape.
    Shape(Shape),
    Other,
}

/// Keys that only some channels' answers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Ok,
    Trace,
}

/// The role of `key`. The empty key is the error itself.
#[inline]
pub(super) fn role(key: &str) -> Role {
    // By length first: a key is compared with the few that are as long.
    match key.len() {
        0 => Role::Message,
        2 => match key {
            "ok" => Role::Shape(Shape::Ok),
            "on" => Role::Sent,
            "id" => Role::Id,
            _ => Role::Other,
        },
        3 => match key {
            "msg" | "err" | "raw" => Role::Message,
            _ => Role::Other,
        },
        4 => match key {
            "code" | "type" | "name" | "kind" => Role::Code,
            "text" | "body" | "data" => Role::Message,
            _ => Role::Other,
        },
        5 => match key {
            "error" => Role::CodeOrMessage,
            "errno" => Role::Code,
            "title" | "cause" => Role::Message,
            "input" => Role::Sent,
            _ => Role::Other,
        },
        6 => match key {
            "status" => Role::Status,
            "effect" => Role::Effect,
            "errors" => Role::CodeOrMessage,
            "detail" | "reason" | "errmsg" => Role::Message,
            "output" => Role::Output,
            "global" => Role::Global,
            "params" | "prompt" | "config" => Role::Sent,
            _ => Role::Other,
        },
        7 => match key {
            "channel" => Role::Channel,
            "message" | "details" | "Message" => Role::Message,
            "errcode" | "subcode" | "numeric" => Role::Code,
            "headers" => Role::Headers,
            "request" | "content" | "options" => Role::Sent,
            "payload" => Role::Payload,
            "syscall" => Role::Syscall,
            _ => Role::Other,
        },
        8 => match key {
            "provider" | "platform" => Role::Channel,
            "response" => Role::Message,
            "err_code" => Role::Code,
            _ => Role::Other,
        },
        9 => match key {
            "errorCode" | "errorType" | "ErrorCode" => Role::Code,
            "http_code" => Role::Status,
            "fault_msg" => Role::Message,
            "arguments" => Role::Sent,
            "condition" => Role::Code,
            _ => Role::Other,
        },
        10 => match key {
            "error_code" | "error_type" => Role::Code,
            "statusCode" | "httpStatus" => Role::Status,
            "retryAfter" => Role::DelaySeconds,
            "fbtrace_id" => Role::Shape(Shape::Trace),
            "error-text" => Role::Message,
            _ => Role::Other,
        },
        11 => match key {
            "description" => Role::Message,
            "status_code" | "http_status" => Role::Status,
            "retry_after" | "retry-after" => Role::DelaySeconds,
            "requestBody" => Role::Sent,
            _ => Role::Other,
        },
        12 => match key {
            "errorMessage" => Role::Message,
            "responseCode" => Role::Code,
            "retryAfterMs" => Role::DelayMillis,
            "request_body" => Role::Sent,
            _ => Role::Other,
        },
        13 => match key {
            "error_subcode" => Role::Subcode,
            "error_message" => Role::Message,
            _ => Role::Other,
        },
        14 => match key {
            "error_user_msg" | "status_message" => Role::Message,
            "retry_after_ms" => Role::DelayMillis,
            "requestPayload" => Role::Sent,
            _ => Role::Other,
        },
        17 => match key {
            "retryAfterSeconds" | "retry-after-secs" => Role::DelaySeconds,
            "error_description" => Role::Message,
            _ => Role::Other,
        },
        18 => match key {
            "migrate_to_chat_id" => Role::Moved,
            _ => Role::Other,
        },
        19 => match key {
            "retry_after_seconds" => Role::DelaySeconds,
            _ => Role::Other,
        },
        _ => Role::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found_under_its_length() {
        for (key, wanted) in [
            ("", Role::Message),
            ("code", Role::Code),
            ("responseCode", Role::Code),
            ("retry_after_ms", Role::DelayMillis),
            ("retry_after_seconds", Role::DelaySeconds),
            ("retryAfterSeconds", Role::DelaySeconds),
            ("migrate_to_chat_id", Role::Moved),
            ("error_description", Role::Message),
            ("requestBody", Role::Sent),
            ("fbtrace_id", Role::Shape(Shape::Trace)),
            ("id", Role::Id),
            ("ids", Role::Other),
        ] {
            assert_eq!(role(key), wanted, "{key}");
        }
    }
}
