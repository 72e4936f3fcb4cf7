//! What a rule concludes: a class, and the scope where it is not the usual one of the class.
//!
//! Named constants keep the tables readable; nothing here decides what is done about a class, which is the policy
//! table's business alone.

use moorline_taxonomy::{Code, Local, Provider, Request};

use crate::verdict::{Scope, usual_scope};

/// The right-hand side of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: Code,
    pub(crate) scope: Scope,
    /// Another model could take the request although the class says that the request is at fault.
    pub(crate) model_specific: bool,
    /// What older programs call it, where that is not the usual word for the class.
    pub(crate) known_as: Option<&'static str>,
}

impl Outcome {
    pub(crate) const fn of(code: Code) -> Self {
        Self { code, scope: usual_scope(code), model_specific: false, known_as: None }
    }

    /// The same class with another scope.
    pub(crate) const fn on(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The same class under another flat reason.
    pub(crate) const fn known_as(mut self, reason: &'static str) -> Self {
        self.known_as = Some(reason);
        self
    }

    /// Marks the class as this model's alone.
    pub(crate) const fn of_this_model(mut self) -> Self {
        self.model_specific = true;
        self
    }
}

pub(super) const RATE_LIMIT: Outcome = Outcome::of(Code::Provider(Provider::RateLimit));
pub(super) const OVERLOADED: Outcome = Outcome::of(Code::Provider(Provider::Overloaded));
pub(super) const SERVER_ERROR: Outcome = Outcome::of(Code::Provider(Provider::ServerError));
pub(super) const TIMEOUT: Outcome = Outcome::of(Code::Provider(Provider::Timeout));
pub(super) const BILLING: Outcome = Outcome::of(Code::Provider(Provider::Billing));
pub(super) const AUTH: Outcome = Outcome::of(Code::Provider(Provider::Auth));
pub(super) const AUTH_PERMANENT: Outcome = Outcome::of(Code::Provider(Provider::AuthPermanent));
pub(super) const MODEL_NOT_FOUND: Outcome = Outcome::of(Code::Provider(Provider::ModelNotFound));
pub(super) const SESSION_EXPIRED: Outcome = Outcome::of(Code::Provider(Provider::SessionExpired));
pub(super) const EMPTY_RESPONSE: Outcome = Outcome::of(Code::Provider(Provider::EmptyResponse));
pub(super) const OVERFLOW: Outcome = Outcome::of(Code::Request(Request::ContextOverflow));
pub(super) const TOO_LARGE: Outcome = Outcome::of(Code::Request(Request::PayloadTooLarge));
pub(super) const FORMAT: Outcome = Outcome::of(Code::Request(Request::Format));
pub(super) const REPLAY_INVALID: Outcome = Outcome::of(Code::Request(Request::ReplayInvalid));
pub(super) const CONTENT_POLICY: Outcome = Outcome::of(Code::Request(Request::ContentPolicy));
pub(super) const UNSATISFIABLE: Outcome = Outcome::of(Code::Request(Request::Unsatisfiable));
pub(super) const TLS_TRUST: Outcome = Outcome::of(Code::Local(Local::TlsTrust));
