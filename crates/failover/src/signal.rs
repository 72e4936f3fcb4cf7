//! The signal: everything a caller knows about one failed call, borrowed.
//!
//! It owns no bytes, so that building one allocates nothing, and it has no clock: a stated date stays a date. The option
//! not taken is a trait over HTTP responses, which would put some client's types into this interface; whoever calls a
//! provider fills in the fields that the client gives away.
//!
//! What must stay true: nothing in here is trusted as text until structure has been read, and a field that is absent is
//! `None`, never an empty string that means something.

use moorline_taxonomy::Code;

/// Where an error comes from, as the call site knows it. It is set there and never guessed from text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provenance {
    /// The call to a provider itself failed or was answered with this.
    #[default]
    ProviderCall,
    /// A program of the taxonomy already named it. The class is final; no rule looks at the rest.
    Ours(Code),
    /// Nobody knows. Without evidence that a provider was called it is not a provider's failure.
    Foreign,
}

/// How the transport failed, when no answer was received or it broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The name did not resolve.
    Dns,
    /// No connection was made.
    Connect,
    /// The TLS handshake failed for another reason than trust.
    Tls,
    /// The certificate could not be trusted on this machine.
    TlsTrust,
    /// No answer in time.
    TimedOut,
    /// The connection broke, before or within the answer.
    Broken,
    /// The answer was not valid at the protocol level.
    Protocol,
}

/// One failed call.
///
/// ```
/// use moorline_failover::{Signal, classify};
/// let signal = Signal::status(429)
///     .from_provider("openai")
///     .with_code("insufficient_quota")
///     .with_message("You exceeded your current quota, please check your plan and billing details.");
/// assert_eq!(classify(&signal).code.to_string(), "provider.billing");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Signal<'a> {
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// Header names and values; names match whatever their case.
    pub headers: &'a [(&'a str, &'a str)],
    /// Who was called, by any usual name (`openai`, `google-vertex`, `zai`, ...).
    pub provider: Option<&'a str>,
    /// The error code that the client read from the answer.
    pub code: Option<&'a str>,
    /// The error type that the client read from the answer.
    pub kind: Option<&'a str>,
    /// The error's message.
    pub message: Option<&'a str>,
    /// The answer's body, as it came.
    pub body: Option<&'a [u8]>,
    /// What the transport said, when there was no answer.
    pub transport: Option<Transport>,
    /// Where the error comes from.
    pub provenance: Provenance,
}

impl<'a> Signal<'a> {
    /// A signal of a provider call with nothing in it yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An answer with this HTTP status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// No answer: the transport failed.
    #[must_use]
    pub fn transport(transport: Transport) -> Self {
        Self { transport: Some(transport), ..Self::default() }
    }

    /// An error of unknown origin; see [`Provenance::Foreign`].
    #[must_use]
    pub fn foreign() -> Self {
        Self { provenance: Provenance::Foreign, ..Self::default() }
    }

    /// Names the provider.
    #[must_use]
    pub fn from_provider(mut self, provider: &'a str) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Adds the answer's headers.
    #[must_use]
    pub fn with_headers(mut self, headers: &'a [(&'a str, &'a str)]) -> Self {
        self.headers = headers;
        self
    }

    /// Adds the error code.
    #[must_use]
    pub fn with_code(mut self, code: &'a str) -> Self {
        self.code = Some(code);
        self
    }

    /// Adds the error type.
    #[must_use]
    pub fn with_kind(mut self, kind: &'a str) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Adds the message.
    #[must_use]
    pub fn with_message(mut self, message: &'a str) -> Self {
        self.message = Some(message);
        self
    }

    /// Adds the body.
    #[must_use]
    pub fn with_body(mut self, body: &'a [u8]) -> Self {
        self.body = Some(body);
        self
    }
}
