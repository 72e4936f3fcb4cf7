//! Cooldowns: what is left alone until when, as values.
//!
//! A cooldown is keyed by what is unwell (a model, a credential, a provider) and by why, because a spent account and a
//! busy minute end differently. Times are absolute, so that they survive a restart. Merging takes the later of each
//! field, so processes may write in any order and twice.
//!
//! The option not taken is remaining seconds with a time of writing: every reader would have to know whose clock that
//! was. Clocks do jump; [`Cooldown::rebased`] bounds what a jump can do to the length that was meant.

use std::time::{Duration, SystemTime};

use moorline_taxonomy::{Code, Provider};

use crate::{
    candidate::Candidate,
    verdict::{Scope, Verdict},
};

/// What is left alone. An absent part means all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The provider.
    pub provider: String,
    /// The credential's label.
    pub credential: Option<String>,
    /// The model.
    pub model: Option<String>,
}

impl Key {
    /// The key of `scope` at a candidate. `None` for a request's own fault, which cools nothing.
    ///
    /// What is unwell upstream is this model through this credential: the credential itself is healthy.
    #[must_use]
    pub fn of(candidate: &Candidate, scope: Scope) -> Option<Self> {
        let provider = candidate.provider().to_owned();
        let credential = Some(candidate.credential().to_owned());
        let model = Some(candidate.model().to_owned());
        match scope {
            Scope::Request => None,
            Scope::Model | Scope::Upstream => Some(Self { provider, credential, model }),
            Scope::Credential => Some(Self { provider, credential, model: None }),
            Scope::Provider => Some(Self { provider, credential: None, model: None }),
        }
    }

    /// Whether a candidate falls under this key.
    #[must_use]
    pub fn covers(&self, candidate: &Candidate) -> bool {
        self.provider == candidate.provider()
            && self.credential.as_deref().is_none_or(|credential| credential == candidate.credential())
            && self.model.as_deref().is_none_or(|model| model == candidate.model())
    }
}

/// Why something is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// A limit of requests or tokens.
    RateLimit,
    /// Nothing left to spend.
    Billing,
    /// The credential was refused.
    Auth,
    /// The credential is revoked.
    AuthPermanent,
    /// The model is not there.
    ModelNotFound,
    /// Trouble of the provider's own: a short breaker, never a credential's cooldown.
    Breaker,
}

impl Why {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::RateLimit, Self::Billing, Self::Auth, Self::AuthPermanent, Self::ModelNotFound, Self::Breaker];

    /// The word in stores and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::Billing => "billing",
            Self::Auth => "auth",
            Self::AuthPermanent => "auth_permanent",
            Self::ModelNotFound => "model_not_found",
            Self::Breaker => "breaker",
        }
    }

    /// Whether the end must be proved by one probe before everybody comes back. A breaker just ends.
    #[must_use]
    pub const fn needs_probe(self) -> bool {
        match self {
            Self::RateLimit | Self::Billing | Self::Auth | Self::AuthPermanent | Self::ModelNotFound => true,
            Self::Breaker => false,
        }
    }

    /// The reason for which a class cools; `None` for what cools nothing.
    pub(crate) const fn of(code: Code) -> Option<Self> {
        match code {
            Code::Provider(code) => match code {
                Provider::RateLimit => Some(Self::RateLimit),
                Provider::Billing => Some(Self::Billing),
                Provider::Auth => Some(Self::Auth),
                Provider::AuthPermanent => Some(Self::AuthPermanent),
                Provider::ModelNotFound => Some(Self::ModelNotFound),
                Provider::Overloaded | Provider::ServerError | Provider::Timeout => Some(Self::Breaker),
                Provider::SessionExpired | Provider::EmptyResponse | Provider::Unknown => None,
            },
            Code::Coordination(_)
            | Code::Cancelled(_)
            | Code::Local(_)
            | Code::Request(_)
            | Code::Delivery(_) => None,
        }
    }

    /// The lengths, one per strike; the last one repeats.
    const fn ladder(self) -> &'static [Duration] {
        const fn minutes(minutes: u64) -> Duration {
            Duration::from_secs(minutes * 60)
        }
        match self {
            Self::RateLimit => &const { [minutes(1), minutes(5), minutes(25), minutes(60)] },
            Self::Billing => {
                &const { [minutes(5 * 60), minutes(10 * 60), minutes(20 * 60), minutes(24 * 60)] }
            }
            Self::Auth => &const { [minutes(5), minutes(30), minutes(120)] },
            Self::AuthPermanent => &const { [minutes(24 * 60)] },
            Self::ModelNotFound => &const { [minutes(60), minutes(6 * 60), minutes(24 * 60)] },
            Self::Breaker => {
                &const { [Duration::from_secs(15), Duration::from_secs(30), minutes(1), minutes(2)] }
            }
        }
    }
}

/// Something left alone until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// What.
    pub key: Key,
    /// Why.
    pub why: Why,
    /// When the last failure was.
    pub since: SystemTime,
    /// Until when.
    pub until: SystemTime,
    /// How often in a row.
    pub strikes: u32,
}

/// A longer cooldown than this is a mistake of somebody's unit or clock.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// Another thread may have read the clock this much later and still mean the same moment.
const SAME_MOMENT: Duration = Duration::from_secs(1);

impl Cooldown {
    /// The cooldown after one more failure. A stated end is obeyed as it is; without one the ladder decides.
    ///
    /// `known` are the cooldowns so far; one of the same key and reason makes this the next strike. `None` where the class
    /// cools nothing.
    #[must_use]
    pub fn after(verdict: &Verdict, candidate: &Candidate, known: &[Self], now: SystemTime) -> Option<Self> {
        let why = Why::of(verdict.code)?;
        // Trouble of the provider's own never cools a credential, whatever the rule's scope.
        let scope = if why == Why::Breaker { Scope::Model } else { verdict.scope };
        let key = Key::of(candidate, scope)?;
        let strikes = known
            .iter()
            .find(|known| known.why == why && known.key == key && !known.is_forgotten(now))
            .map_or(1, |known| known.strikes.saturating_add(1));
        let until = match verdict.stated {
            // A date in the past says that it is over already.
            Some(stated) => stated.at(now).max(now),
            None => {
                let ladder = why.ladder();
                let step = (strikes as usize - 1).min(ladder.len() - 1);
                now + ladder[step]
            }
        };
        Some(Self { key, why, since: now, until: until.min(now + LONGEST), strikes })
    }

    /// How long it still lasts. A clock that was set back does not make it longer than it was.
    #[must_use]
    pub fn remaining(&self, now: SystemTime) -> Duration {
        let left = self.until.duration_since(now).unwrap_or(Duration::ZERO);
        left.min(self.length())
    }

    /// The same cooldown by the clock of now, where that was set back since it was written: it begins now, and is as
    /// long as it was meant to be. `None` where nothing has to change. Whoever keeps it has to keep the new one, or it
    /// would begin again at every look.
    #[must_use]
    pub fn rebased(&self, now: SystemTime) -> Option<Self> {
        let is_ahead = self.since.duration_since(now).is_ok_and(|ahead| ahead > SAME_MOMENT);
        is_ahead.then(|| Self { since: now, until: now + self.length(), ..self.clone() })
    }

    /// The later of each field. Both must be of one key and one reason.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        Self {
            key: self.key.clone(),
            why: self.why,
            since: self.since.max(other.since),
            until: self.until.max(other.until),
            strikes: self.strikes.max(other.strikes),
        }
    }

    /// Whether it ended so long ago that the next failure is a first one.
    #[must_use]
    pub fn is_forgotten(&self, now: SystemTime) -> bool {
        let memory = self.length().max(Duration::from_secs(60 * 60));
        now.duration_since(self.until).is_ok_and(|ended| ended > memory)
    }

    fn length(&self) -> Duration {
        self.until.duration_since(self.since).unwrap_or(Duration::ZERO)
    }
}
