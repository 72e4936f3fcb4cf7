//! A code that a rule knows, where it was read, and which of two says more.

use std::{borrow::Cow, cmp::Reverse};

use moorline_taxonomy::{Code, Request};

use crate::{
    classify::Decided,
    rules::{
        Weight,
        index::{self, Hit},
        status,
    },
    signal::Signal,
    vendor::Vendor,
    verdict::{Certainty, Evidence},
};

/// Rules whose evidence is a broken transport and not an answer.
const TRANSPORT: &str = "transport/";

/// Where a code was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Type,
    Code,
}

/// A code that means something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coded {
    pub(super) hit: Hit,
    pub(super) field: Field,
    /// How many documents deep it stood.
    pub(super) level: u8,
}

impl Coded {
    /// The code that the signal itself states: in its code, its type, or a status that only this vendor has.
    pub(crate) fn stated(signal: &Signal<'_>, vendor: Vendor) -> Option<Self> {
        let find = |field, value: Option<&str>| {
            let hit = index::find(vendor, signal.status, value?)?;
            Some(Self { hit, field, level: 0 })
        };
        let code = find(Field::Code, signal.code);
        if code.is_some_and(|code| code.weight() == Weight::Exact && code.hit.own) {
            return code;
        }
        let strongest = Self::stronger(code, find(Field::Type, signal.kind));
        match signal.status {
            Some(number @ 400..) if strongest.is_none() && status::of(number).is_none() => {
                let digits = [
                    b'0' + (number / 100 % 10) as u8,
                    b'0' + (number / 10 % 10) as u8,
                    b'0' + (number % 10) as u8,
                ];
                find(Field::Code, std::str::from_utf8(&digits).ok())
            }
            Some(_) | None => strongest,
        }
    }

    pub(crate) fn weight(&self) -> Weight {
        self.hit.weight
    }

    /// Whether the code only says that the request was refused.
    pub(crate) fn is_refusal(&self) -> bool {
        self.hit.weight == Weight::Weak && self.hit.rule.outcome.code == Code::Request(Request::Format)
    }

    /// Whether the code is one that only a model provider gives.
    pub(crate) fn is_telling(&self) -> bool {
        self.hit.weight == Weight::Exact && !self.hit.rule.id.starts_with(TRANSPORT)
    }

    /// The stronger of two; the same two give the same one in either order.
    pub(super) fn stronger(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let rank = |coded: &Self| {
            (coded.hit.weight, coded.hit.own, coded.level, coded.field, Reverse(coded.hit.rule.id))
        };
        match (one, other) {
            (Some(one), Some(other)) => Some(if rank(&other) > rank(&one) { other } else { one }),
            (one, other) => one.or(other),
        }
    }

    /// The class, and how it came about.
    pub(crate) fn decided(&self) -> Decided {
        let Self { hit, field, level } = *self;
        let is_transport = hit.rule.id.starts_with(TRANSPORT);
        let evidence = match field {
            Field::Code | Field::Type if is_transport => Evidence::Transport,
            Field::Code | Field::Type if level > 0 => Evidence::NestedUpstream,
            Field::Code => Evidence::Code,
            Field::Type => Evidence::Type,
        };
        let certainty = match hit.weight {
            Weight::Exact if hit.own || is_transport => Certainty::Certain,
            Weight::Exact | Weight::Broad => Certainty::Likely,
            Weight::Weak => Certainty::Guess,
        };
        let rule = Cow::Borrowed(hit.rule.id);
        Decided { outcome: hit.rule.outcome, evidence, certainty, rule }
    }
}
