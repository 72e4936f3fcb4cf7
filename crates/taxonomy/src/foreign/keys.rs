//! The keys of an error object, and what each is read as.
//!
//! The decision: a closed list. An unknown key is not looked into, so that a prompt, an id or a tool's output that rides
//! along can change nothing. The option not taken is walking every value: a transcript inside an error would then be
//! searched for lock errors.
//!
//! What must stay true: a key that may hold what somebody wrote to a model (`prompt`, `messages`, `input`, `output`,
//! `payload`, `result`) is never one of them.

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Name,
    Code,
    Errno,
    SqliteCode,
    Status,
    Provider,
    Model,
    Channel,
    /// `false` in the answers of chat channels; no model provider has it.
    Ok,
    Url,
    Headers,
    Message,
    Syscall,
    Signal,
    StaleReasons,
    Domain,
    Effect,
    Sent,
    RetryMillis,
    RetrySeconds,
    /// A string states the reason in a word; an object is a cause.
    Reason,
    /// The answer as a client received it, its status beside its body.
    Response,
    /// The message and where it was thrown, for want of a message.
    Stack,
    Carrier(Carrier),
    /// Not part of an error.
    Other,
}

/// How one error holds another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// Another error of the same program.
    Cause,
    /// The parsed answer in provider clients, another error everywhere else.
    Error,
    /// What the other side answered.
    Answer,
    /// The error of the model call, kept by the error of the cleanup after it.
    Prompt,
}

/// What `name` is read as.
pub(super) fn key(name: &str) -> Key {
    match name {
        "name" | "type" | "errorName" | "errorType" | "error_type" | "kind" | "_tag" | "class" => Key::Name,
        "code" | "errorCode" | "error_code" | "legacyCode" | "gatewayCode" => Key::Code,
        "errno" => Key::Errno,
        "errcode" | "rawCode" => Key::SqliteCode,
        "status" | "statusCode" | "status_code" | "httpStatus" | "http_status" | "httpStatusCode" => {
            Key::Status
        }
        "provider" | "providerId" | "provider_id" | "providerName" | "modelProvider" => Key::Provider,
        "model" | "modelId" => Key::Model,
        "channel" | "channelId" => Key::Channel,
        "ok" => Key::Ok,
        "url" | "baseURL" | "baseUrl" | "base_url" | "endpoint" | "requestUrl" => Key::Url,
        "headers" | "responseHeaders" => Key::Headers,
        "message" | "msg" | "text" | "errorMessage" | "error_message" | "description" | "title" => {
            Key::Message
        }
        "syscall" => Key::Syscall,
        "signal" => Key::Signal,
        "staleReasons" | "stale_reasons" | "staleReason" | "reasons" => Key::StaleReasons,
        "domain" => Key::Domain,
        "effect" => Key::Effect,
        "sentBeforeError" | "visibleReplySent" => Key::Sent,
        "retryAfterMs" | "retry_after_ms" => Key::RetryMillis,
        "retryAfter" | "retry_after" => Key::RetrySeconds,
        "reason" => Key::Reason,
        "promptError" => Key::Carrier(Carrier::Prompt),
        "error" | "err" => Key::Carrier(Carrier::Error),
        "response" | "res" | "$response" | "$metadata" => Key::Response,
        "stack" => Key::Stack,
        "body" | "data" | "details" | "detail" | "responseBody" | "errorBody" => {
            Key::Carrier(Carrier::Answer)
        }
        "cause" | "causes" | "source" | "sources" | "inner" | "innerError" | "innerException"
        | "InnerException" | "inner_error" | "innerErrors" | "original" | "originalError"
        | "original_error" | "originalException" | "suppressed" | "suppressedErrors" | "errors"
        | "exception" | "exceptions" | "failure" | "failures" | "attempts" | "rejections" | "lastError"
        | "last_error" | "rootCause" | "root_cause" | "underlying" | "underlyingError" | "previous"
        | "nested" | "wrapped" | "parent" | "stderr" | "__cause__" | "__context__" => {
            Key::Carrier(Carrier::Cause)
        }
        _ => Key::Other,
    }
}
