//! Moonshot's Kimi: the open platform and Kimi Code.
//!
//! `access_terminated_error` is put both on a closed account and on a spent plan, so the message decides.

use super::{outcome::*, vendor_rules};

vendor_rules! {
    RULES: Moonshot "kimi"
    from "https://platform.kimi.com/docs/api/errors" {
        exact "content_filter" => CONTENT_POLICY;
        weak "invalid_request_error" => FORMAT;
        exact "invalid_authentication_error" => AUTH;
        exact "incorrect_api_key_error" => AUTH;
        exact "permission_denied_error" => AUTH;
        exact "resource_not_found_error" => MODEL_NOT_FOUND;
        exact "engine_overloaded_error" => OVERLOADED;
        exact "exceeded_current_quota_error" => BILLING;
        exact "rate_limit_reached_error" => RATE_LIMIT;
        weak "server_error" => SERVER_ERROR;
        exact "unexpected_output" => SERVER_ERROR;
    }
    from "https://www.kimi.com/code/docs/en/kimi-code/error-reference.html" {
        broad "access_terminated_error" => AUTH_PERMANENT;
    }
}
