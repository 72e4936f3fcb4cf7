//! From the client's errors to the failover crate's signal.
//!
//! The client's errors have no `source()`, and what they print holds bodies and whole requests. So each is taken apart
//! into status, headers and body, which decide and are then dropped; what is kept is one cleaned sentence. The match is
//! complete, without a rest: the version of the client is fixed, and one with another error must be looked at.
//!
//! What must stay true: nothing that is kept holds the key, a part of the request, or a body.

use std::error::Error;

use genai::{Error as ClientError, webc::Error as WebError};
use moorline_failover::{CallError, ProviderFailure, Signal, Transport};
use moorline_runner::{Message, ModelRequest};
use moorline_taxonomy::{Local, Mark, Request, redact};
use serde_json::Value;

use crate::exit::{Exit, Failure};

/// Characters kept of what a provider said.
const MOST_SAID: usize = 240;
/// A stretch this long that is in the request too is a quotation.
const QUOTED: usize = 24;

/// What is known of a call that failed: whom it asked, with what.
pub(super) struct Asked<'a> {
    pub(super) provider: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) request: &'a ModelRequest,
}

/// What is kept of an error: a sentence without secrets.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

/// The client could not be made.
pub(super) fn of_client(_error: &ClientError) -> Failure {
    Failure::new(Exit::Config, Local::Config, "the provider client cannot be made")
}

impl Asked<'_> {
    /// What the client's error means.
    pub(super) fn failed(&self, error: ClientError) -> CallError {
        match error {
            ClientError::HttpError { status, body, headers, .. } => {
                self.status(status.as_u16(), &headers, &body)
            }
            ClientError::WebModelCall { webc_error, .. } | ClientError::WebAdapterCall { webc_error, .. } => {
                self.web(webc_error)
            }
            ClientError::WebStream { error, .. } => self.stream(error),
            ClientError::ChatResponse { body, .. } => self.answered_with(&body),
            ClientError::ChatResponseGeneration { response_body, .. } => {
                if response_body.get("error").is_some_and(|error| !error.is_null()) {
                    return self.answered_with(&response_body);
                }
                // Gemini refuses a prompt with 200 and no candidate.
                if response_body.pointer("/promptFeedback/blockReason").is_some() {
                    return self.filtered();
                }
                self.transport(Transport::Protocol, "the answer is not in the provider's format")
            }
            ClientError::StreamParse { .. }
            | ClientError::NoChatResponse { .. }
            | ClientError::InvalidJsonResponseElement { .. }
            | ClientError::JsonValueExt(_)
            | ClientError::SerdeJson(_) => {
                self.transport(Transport::Protocol, "the answer is not in the provider's format")
            }
            ClientError::RequiresApiKey { .. }
            | ClientError::NoAuthResolver { .. }
            | ClientError::NoAuthData { .. }
            | ClientError::Resolver { .. }
            | ClientError::ModelMapperFailed { .. }
            | ClientError::AdapterKindMismatch { .. }
            | ClientError::ClientBuildFail { .. } => {
                self.local(Local::Config, "the client has no key or address")
            }
            ClientError::ChatReqHasNoMessages { .. }
            | ClientError::LastChatMessageIsNotUser { .. }
            | ClientError::MessageRoleNotSupported { .. }
            | ClientError::MessageContentTypeNotSupported { .. }
            | ClientError::JsonModeWithoutInstruction
            | ClientError::VerbosityParsing { .. }
            | ClientError::ReasoningParsingError { .. }
            | ClientError::ServiceTierParsing { .. }
            | ClientError::PromptCacheRetentionParsing { .. }
            | ClientError::AdapterNotSupported { .. }
            | ClientError::CacheBreakpointNoEligibleContent { .. }
            | ClientError::Internal(_) => self.local(Local::Bug, "the request could not be written"),
        }
    }

    /// The stream ended before the answer did.
    pub(super) fn broken(&self) -> CallError {
        self.transport(Transport::Broken, "the answer broke off")
    }

    /// The answer was filtered away by the provider.
    pub(super) fn filtered(&self) -> CallError {
        let class = Request::ContentPolicy;
        let signal =
            Signal { provenance: moorline_failover::Provenance::Ours(class.into()), ..Signal::new() };
        let said = Said(format!("{} filtered the whole answer", self.provider));
        ProviderFailure::received(&signal.from_provider(self.provider), said)
    }

    /// An error that came as JSON, with whatever status.
    pub(super) fn answered_with(&self, body: &Value) -> CallError {
        let bytes = body.to_string();
        let signal = Signal::new().from_provider(self.provider).with_body(bytes.as_bytes());
        ProviderFailure::received(&signal, self.said(None, Some(body)))
    }

    fn status(&self, status: u16, headers: &reqwest::header::HeaderMap, body: &str) -> CallError {
        let headers: Vec<(&str, &str)> =
            headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let signal = Signal::status(status)
            .from_provider(self.provider)
            .with_headers(&headers)
            .with_body(body.as_bytes());
        let parsed = serde_json::from_str::<Value>(body).ok();
        ProviderFailure::received(&signal, self.said(Some(status), parsed.as_ref()))
    }

    fn web(&self, error: WebError) -> CallError {
        match error {
            WebError::ResponseFailedStatus { status, body, headers } => {
                self.status(status.as_u16(), &headers, &body)
            }
            WebError::Reqwest(error) => self.http(&error),
            WebError::ResponseFailedNotJson { .. }
            | WebError::ResponseFailedInvalidJson { .. }
            | WebError::JsonValueExt(_) => {
                self.transport(Transport::Protocol, "the answer is not the JSON of the provider's format")
            }
        }
    }

    fn stream(&self, error: Box<dyn Error + Send + Sync>) -> CallError {
        let error = match error.downcast::<ClientError>() {
            Ok(error) => return self.failed(*error),
            Err(error) => error,
        };
        let error = match error.downcast::<WebError>() {
            Ok(error) => return self.web(*error),
            Err(error) => error,
        };
        match error.downcast_ref::<reqwest::Error>() {
            Some(error) => self.http(error),
            None => self.broken(),
        }
    }

    fn http(&self, error: &reqwest::Error) -> CallError {
        let (transport, says) = if error.is_timeout() {
            (Transport::TimedOut, "there was no answer in time")
        } else if error.is_connect() {
            unconnected(error)
        } else if error.is_builder() {
            return self.local(Local::Config, "the endpoint is not an address that can be called");
        } else {
            (Transport::Broken, "the connection broke off")
        };
        self.transport(transport, says)
    }

    fn transport(&self, transport: Transport, says: &str) -> CallError {
        let signal = Signal::transport(transport).from_provider(self.provider);
        ProviderFailure::received(&signal, Said(format!("{}: {says}", self.provider)))
    }

    fn local(&self, code: Local, says: &str) -> CallError {
        let mark = Mark::new(code).caused_by(Said(format!("{}: {says}", self.provider)));
        CallError::local(mark)
    }

    /// What the provider said, as far as it may be kept.
    fn said(&self, status: Option<u16>, body: Option<&Value>) -> Said {
        let text = |pointer: &str| body.and_then(|body| body.pointer(pointer)).and_then(Value::as_str);
        let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| text(pointer));
        let message = first(&["/error/message", "/0/error/message", "/message", "/error", "/detail"]);
        let code =
            first(&["/error/code", "/error/type", "/error/status", "/0/error/status", "/type", "/code"]);
        let mut said = self.provider.to_owned();
        match status {
            Some(status) => said.push_str(&format!(" answered {status}")),
            None => said.push_str(" answered with an error"),
        }
        let repeated = |code: &str| status.is_some_and(|status| status.to_string() == code);
        if let Some(code) = code.filter(|code| code.len() <= 64 && !repeated(code)) {
            said.push_str(&format!(" ({})", self.clean(code)));
        }
        if let Some(message) = message {
            let cut: String = message.chars().take(MOST_SAID).collect();
            if self.quotes_the_request(&cut) {
                said.push_str("; its message quotes the request and is left out");
            } else {
                said.push_str(&format!(": {}", self.clean(&cut)));
            }
        }
        Said(said)
    }

    /// Without the key, what a provider shows of it, and what looks like a secret. In one line.
    fn clean(&self, text: &str) -> String {
        let words = text.split_whitespace().map(|word| {
            let is_key = self.key.is_some_and(|key| word.contains(key));
            if is_key || word.contains("**") { "[redacted]" } else { word }
        });
        redact(&words.collect::<Vec<_>>().join(" ")).into_owned()
    }

    fn quotes_the_request(&self, said: &str) -> bool {
        let starts: Vec<usize> = said.char_indices().map(|(at, _)| at).collect();
        let stretches = starts.iter().zip(starts.get(QUOTED..).unwrap_or_default());
        let told: Vec<&str> = self.request.messages.iter().map(Message::text).collect();
        stretches.map(|(from, to)| said.get(*from..*to).unwrap_or_default()).any(|stretch| {
            self.request.system.contains(stretch) || told.iter().any(|text| text.contains(stretch))
        })
    }
}

/// Why no connection was made. The libraries beneath say it by text alone, which is theirs and not a provider's.
fn unconnected(error: &reqwest::Error) -> (Transport, &'static str) {
    let mut next = error.source();
    while let Some(cause) = next {
        let says = cause.to_string();
        if says.starts_with("invalid peer certificate") {
            return (Transport::TlsTrust, "its certificate is not trusted on this machine");
        }
        if says.starts_with("dns error") {
            return (Transport::Dns, "its name cannot be resolved");
        }
        if says.starts_with("received fatal alert") || says.contains("HandshakeFailure") {
            return (Transport::Tls, "the TLS handshake failed");
        }
        next = cause.source();
    }
    (Transport::Connect, "no connection could be made")
}
