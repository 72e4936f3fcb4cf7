//! Anthropic's error types.
//!
//! The type is the whole structure there. `invalid_request_error` is also put on spent credit and on a reached spend
//! limit, and `rate_limit_error` on a limit that an administrator enforces, so both leave room for the message.

use super::{outcome::*, vendor_rules};

vendor_rules! {
    RULES: Anthropic "anthropic"
    from "https://platform.claude.com/docs/en/api/errors" {
        weak "invalid_request_error" => FORMAT;
        exact "authentication_error" => AUTH;
        exact "billing_error" => BILLING;
        broad "permission_error" => AUTH;
        broad "not_found_error" => MODEL_NOT_FOUND;
        broad "conflict_error" => SERVER_ERROR;
        exact "request_too_large" => TOO_LARGE;
        broad "rate_limit_error" => RATE_LIMIT;
        weak "api_error" => SERVER_ERROR;
        exact "timeout_error" => TIMEOUT;
        exact "overloaded_error" => OVERLOADED;
        exact "enforced_spend_limit_reached" => BILLING;
    }
}
