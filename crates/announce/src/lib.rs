//! A durable outbox that delivers a finished sub-agent's result to its requester.
mod delivery;

pub use delivery::{
    Certainty, DeliveryEvidence, DeliveryRule, DeliveryVerdict, Scope, classify_delivery, delivery_rules,
};
