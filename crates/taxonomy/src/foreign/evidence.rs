//! What shows that a provider was called, and what shows that it answered.
//!
//! The decision: two strengths. An **answer** (an HTTP error status, a vendor's code, response headers) decides over
//! everything beneath it. A **call** (a provider's name, a provider client's error) only turns an error that nobody
//! recognises into a provider's: runtimes put the provider's name on every error of an attempt, a full disk and a session
//! lock included. The option not taken is one strength, which burns candidates for lock errors.
//!
//! What must stay true: a status is an answer only where a provider can have given it. A channel's status is the
//! channel's, a gateway client's status is the gateway's, and the 408 of a `FailoverError` whose reason is `timeout` was
//! made up by the program that could not classify the error beneath.

use super::{layer::Layer, locals, owned};

/// Names of errors that a client of the local gateway throws: their status is the gateway's, not a provider's.
const GATEWAY_CLIENTS: &[&str] =
    &["GatewayClientRequestError", "GatewayRequestError", "GatewayTransportError", "GatewayClientError"];

/// Names that only clients of model providers throw.
const CLIENTS: &[&str] = &[
    "APIConnectionError",
    "APIConnectionTimeoutError",
    "APIStatusError",
    "AI_APICallError",
    "AI_RetryError",
    "AI_NoOutputGeneratedError",
    "AnthropicError",
    "FailoverError",
    "FallbackSummaryError",
    "GoogleGenerativeAIError",
    "GoogleGenerativeAIFetchError",
    "GoogleGenerativeAIResponseError",
    "LLMError",
    "OllamaError",
    "OpenAIError",
];

/// Codes and types that only providers answer with. Words that other services use too (`UNAVAILABLE`, `not_found`) count
/// only beside a provider's name.
const VENDOR_CODES: &[&str] = &[
    "api_error",
    "authentication_error",
    "billing_error",
    "billing_hard_limit_reached",
    "content_filter",
    "content_policy_violation",
    "context_length_exceeded",
    "engine_overloaded",
    "insufficient_quota",
    "invalid_api_key",
    "invalid_request_error",
    "model_not_found",
    "not_found_error",
    "overloaded_error",
    "permission_error",
    "rate_limit_error",
    "rate_limit_exceeded",
    "request_too_large",
    "server_error",
    "tokens_limit_reached",
    "InternalServerException",
    "ModelErrorException",
    "ModelNotReadyException",
    "ModelStreamErrorException",
    "ModelTimeoutException",
    "RESOURCE_EXHAUSTED",
    "ServiceQuotaExceededException",
    "ThrottlingException",
];

/// Headers that answers have and requests have not.
const RESPONSE_HEADERS: &[&str] = &[
    "retry-after",
    "retry-after-ms",
    "x-request-id",
    "request-id",
    "x-should-retry",
    "cf-ray",
    "x-amzn-requestid",
    "openai-processing-ms",
];

/// Hosts of providers. A connection that failed to one of them is a call, though nothing names the provider.
const HOSTS: &[&str] = &[
    "api.openai.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "aiplatform.googleapis.com",
    "openrouter.ai",
    "api.mistral.ai",
    "api.groq.com",
    "api.x.ai",
    "api.deepseek.com",
    "api.cohere.com",
    "api.together.xyz",
    "api.moonshot.",
    "api.z.ai",
    "open.bigmodel.cn",
    "dashscope.aliyuncs.com",
    "dashscope-intl.aliyuncs.com",
    "api.minimax.",
    "api.cerebras.ai",
    "api.githubcopilot.com",
    ".openai.azure.com",
    "bedrock-runtime.",
];

/// What a layer shows of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    Nothing,
    /// A provider was called.
    Call,
    /// A provider answered, and its answer is the error.
    Answer,
}

/// What `layer` itself shows.
pub(super) fn shown(layer: &Layer<'_>, of_a_channel: bool) -> Shows {
    let elsewhere = of_a_channel || layer.names.iter().any(|name| GATEWAY_CLIENTS.contains(&name));
    let status = layer.status.filter(|_| !elsewhere);
    let named = layer.provider || layer.names.iter().any(|name| CLIENTS.contains(&name));
    if !elsewhere && !is_made_up(layer.names.first(), layer.reason, layer.status) {
        let number = layer.code_number.and_then(http_status).or(status).is_some_and(|status| status >= 400);
        let vendor =
            layer.codes.iter().chain(layer.names.iter()).chain(layer.status_word).any(is_vendor_code);
        let foreign = |code| {
            is_code_beside_a_provider(code) && locals::code(code).is_none() && owned::code(code).is_none()
        };
        let beside = layer.provider
            && (layer.code_number.is_some_and(is_vendor_number) || layer.codes.iter().any(foreign));
        if number || vendor || beside || layer.response_headers {
            return Shows::Answer;
        }
    }
    // A success that ended in an error is no provider's refusal: what went wrong went wrong after it.
    if named || status.is_some() { Shows::Call } else { Shows::Nothing }
}

/// An error that only a client of a model provider throws, by name.
pub(super) fn is_client_name(name: &str) -> bool {
    CLIENTS.contains(&name)
}

/// A code of a provider's, whoever is named.
fn is_vendor_code(code: &str) -> bool {
    VENDOR_CODES.contains(&code)
}

/// A code that is a provider's because a provider is named beside it: anything but the words of runtimes and of failover
/// records, which name what *this* side made of the error.
fn is_code_beside_a_provider(code: &str) -> bool {
    const OURS: &[&str] = &[
        "timeout",
        "unknown",
        "error",
        "aborted",
        "cancelled",
        "canceled",
        "failed",
        "network",
        "network_error",
    ];
    let runtime = code.starts_with("ERR_") || code.starts_with("UND_ERR_") || code.starts_with("OPENCLAW_");
    !code.is_empty() && !runtime && !OURS.iter().any(|word| code.eq_ignore_ascii_case(word))
}

/// A failover record, or the error made of one, whose reason stands for "nobody knows": its status was made up.
fn is_made_up(name: Option<&str>, reason: Option<&str>, status: Option<u16>) -> bool {
    let record = matches!(name, None | Some("FailoverError"));
    record && matches!(reason, Some("timeout" | "unknown")) && matches!(status, None | Some(408))
}

pub(super) fn is_response_header(name: &str) -> bool {
    RESPONSE_HEADERS.iter().any(|known| name.eq_ignore_ascii_case(known)) || name.contains("ratelimit")
}

/// Does the text name a provider's host?
pub(super) fn names_a_host(text: &str) -> bool {
    let line = super::text::line(text, 512);
    HOSTS.iter().any(|host| super::phrases::contains(line, host))
}

/// A status that an answer can have. Below 200 are the exit statuses of processes, which live under the same key.
pub(super) fn http_status(number: i64) -> Option<u16> {
    u16::try_from(number).ok().filter(|status| (200..=599).contains(status))
}

/// A number in a `code` field that can be a vendor's where a provider is named: exit codes end at 255.
fn is_vendor_number(number: i64) -> bool {
    number > 255
}
