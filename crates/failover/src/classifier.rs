//! A classifier with a provider of one's own: codes that only the embedder knows, before the built-in tables.
//!
//! The decision: own rules are exact codes of a named provider, and a class that a provider can have. The option not
//! taken is a callback per signal: a table can be printed, compared and tested.

use std::borrow::Cow;

use moorline_taxonomy::{Code, Provider, Request};

use crate::{
    classify::{Decided, classify_with},
    rules::Outcome,
    signal::{Provenance, Signal},
    verdict::{Certainty, Evidence, Scope, Verdict},
};

/// A class that a provider's answer can have. Coordination and local codes are none: no rule can make one of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The provider's side.
    Provider(Provider),
    /// The request's side.
    Request(Request),
}

impl From<Provider> for Class {
    fn from(code: Provider) -> Self {
        Self::Provider(code)
    }
}

impl From<Request> for Class {
    fn from(code: Request) -> Self {
        Self::Request(code)
    }
}

/// One code of a provider of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeRule {
    code: String,
    class: Class,
    scope: Option<Scope>,
    status: Option<u16>,
}

impl CodeRule {
    /// The answer's code or type `code` means `class`. Case does not matter.
    pub fn new(code: impl Into<String>, class: impl Into<Class>) -> Self {
        Self { code: code.into(), class: class.into(), scope: None, status: None }
    }

    /// Another scope than the usual one of the class.
    #[must_use]
    pub fn on(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Only under this status.
    #[must_use]
    pub fn under(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    fn holds(&self, signal: &Signal<'_>) -> bool {
        let is = |value: Option<&str>| value.is_some_and(|value| value.eq_ignore_ascii_case(&self.code));
        (is(signal.code) || is(signal.kind)) && (self.status.is_none() || self.status == signal.status)
    }
}

/// The built-in rules, with rules of one's own before them.
///
/// ```
/// use moorline_failover::{Classifier, CodeRule, Signal};
/// use moorline_taxonomy::Provider;
/// let classifier = Classifier::builtin().with_provider("acme", [CodeRule::new("E-77", Provider::Billing)]);
/// let verdict = classifier.classify(&Signal::status(400).from_provider("acme").with_code("e-77"));
/// assert_eq!(verdict.code.to_string(), "provider.billing");
/// assert_eq!(verdict.rule, "own/acme/E-77");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Classifier {
    own: Vec<(String, Vec<CodeRule>)>,
}

impl Classifier {
    /// The built-in rules alone.
    #[must_use]
    pub fn builtin() -> Self {
        Self::default()
    }

    /// Adds the codes of a provider. The first rule that holds decides; without one the built-in rules do.
    #[must_use]
    pub fn with_provider(
        mut self,
        provider: impl Into<String>,
        rules: impl IntoIterator<Item = CodeRule>,
    ) -> Self {
        self.own.push((provider.into(), rules.into_iter().collect()));
        self
    }

    /// What one failed call was; see [`classify`](crate::classify()).
    #[must_use]
    pub fn classify(&self, signal: &Signal<'_>) -> Verdict {
        let own = match signal.provenance {
            Provenance::ProviderCall | Provenance::Foreign => self.own(signal),
            Provenance::Ours(_) => None,
        };
        classify_with(signal, own)
    }

    fn own(&self, signal: &Signal<'_>) -> Option<Decided> {
        let called = signal.provider?;
        let (provider, rule) =
            self.own.iter().filter(|(provider, _)| provider.eq_ignore_ascii_case(called)).find_map(
                |(provider, rules)| Some((provider, rules.iter().find(|rule| rule.holds(signal))?)),
            )?;
        let code = match rule.class {
            Class::Provider(code) => Code::Provider(code),
            Class::Request(code) => Code::Request(code),
        };
        let outcome = Outcome::of(code);
        Some(Decided {
            outcome: rule.scope.map_or(outcome, |scope| outcome.on(scope)),
            evidence: Evidence::Code,
            certainty: Certainty::Certain,
            rule: Cow::Owned(format!("own/{provider}/{}", rule.code)),
        })
    }
}
