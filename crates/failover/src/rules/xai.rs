//! xAI: a `code` that is a word with a detail behind `:`, or the sentence of a gRPC status.

use super::{outcome::*, vendor_rules};

vendor_rules! {
    RULES: Xai "xai"
    from "https://docs.x.ai/developers/debugging" {
        weak "Client specified an invalid argument" => FORMAT;
        weak "invalid-argument" => FORMAT;
        broad "The caller does not have permission to execute the specified operation" => AUTH;
        broad "permission-denied" => AUTH;
        broad "Some requested entity was not found" => MODEL_NOT_FOUND;
        broad "not-found" => MODEL_NOT_FOUND;
        broad "Some resource has been exhausted" => RATE_LIMIT;
        broad "resource-exhausted" => RATE_LIMIT;
        broad "The service is currently unavailable" => OVERLOADED;
        broad "Unauthenticated" => AUTH;
        exact "unauthenticated:bad-credentials" => AUTH;
        exact "personal-team-blocked:spending-limit" => BILLING;
        exact "subscription:free-usage-exhausted" => RATE_LIMIT;
    }
}
