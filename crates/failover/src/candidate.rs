//! A candidate: what failover may try, and what a request needs of it.
//!
//! Windows and capabilities are stated by whoever configures the candidate; nobody asks a provider. What is not stated
//! is not held against a candidate: an unknown window fits.

use std::{fmt, sync::Arc};

/// Something a model can do beyond text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// Calls tools.
    Tools,
    /// Reads images.
    Images,
    /// Reads or speaks audio.
    Audio,
    /// Reads documents.
    Documents,
    /// Keeps reasoning between turns.
    Reasoning,
    /// Answers in a given schema.
    StructuredOutput,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 6] =
        [Self::Tools, Self::Images, Self::Audio, Self::Documents, Self::Reasoning, Self::StructuredOutput];

    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Images => "images",
            Self::Audio => "audio",
            Self::Documents => "documents",
            Self::Reasoning => "reasoning",
            Self::StructuredOutput => "structured output",
        }
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// None.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(0b11_1111);

    /// The first capability of `wanted` that is missing here.
    #[must_use]
    pub fn missing(self, wanted: Self) -> Option<Capability> {
        Capability::ALL.into_iter().find(|capability| {
            let bit = 1 << *capability as u8;
            wanted.0 & bit != 0 && self.0 & bit == 0
        })
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(all: I) -> Self {
        Self(all.into_iter().fold(0, |set, capability| set | 1 << capability as u8))
    }
}

/// Provider + model + credential. Cloning is cheap; clones are the same candidate.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    provider: String,
    model: String,
    credential: String,
    window: Option<u64>,
    max_request_bytes: Option<u64>,
    tokens_per_minute: Option<u64>,
    capabilities: Capabilities,
}

impl Candidate {
    /// A candidate of which nothing more is known. `credential` is a label, never the secret.
    pub fn new(provider: impl Into<String>, model: impl Into<String>, credential: impl Into<String>) -> Self {
        Self {
            inner: Arc::new(Inner {
                provider: provider.into(),
                model: model.into(),
                credential: credential.into(),
                window: None,
                max_request_bytes: None,
                tokens_per_minute: None,
                capabilities: Capabilities::ALL,
            }),
        }
    }

    /// The context window, in tokens.
    #[must_use]
    pub fn window_of(self, tokens: u64) -> Self {
        self.with(|inner| inner.window = Some(tokens))
    }

    /// The largest request that is accepted, in bytes.
    #[must_use]
    pub fn accepting_bytes(self, bytes: u64) -> Self {
        self.with(|inner| inner.max_request_bytes = Some(bytes))
    }

    /// The tokens that one minute allows, and so one request at most.
    #[must_use]
    pub fn tokens_per_minute_of(self, tokens: u64) -> Self {
        self.with(|inner| inner.tokens_per_minute = Some(tokens))
    }

    /// What it can do; without this, everything.
    #[must_use]
    pub fn able_to(self, capabilities: impl IntoIterator<Item = Capability>) -> Self {
        self.with(|inner| inner.capabilities = capabilities.into_iter().collect())
    }

    /// The provider's name.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.inner.provider
    }

    /// The model's name.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.inner.model
    }

    /// The credential's label.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.inner.credential
    }

    /// The window, where it is known.
    #[must_use]
    pub fn window(&self) -> Option<u64> {
        self.inner.window
    }

    pub(crate) fn max_request_bytes(&self) -> Option<u64> {
        self.inner.max_request_bytes
    }

    pub(crate) fn tokens_per_minute(&self) -> Option<u64> {
        self.inner.tokens_per_minute
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.inner.capabilities
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ({})", self.provider(), self.model(), self.credential())
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// What one request needs. What is zero or empty is not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Tokens of the prompt and of the answer together.
    pub tokens: u64,
    /// Bytes of the request.
    pub request_bytes: u64,
    /// What the model must be able to do.
    pub capabilities: Capabilities,
    /// Whether a refusal for content may go to the next candidate. Off unless somebody decides it.
    pub failover_on_content_policy: bool,
}
