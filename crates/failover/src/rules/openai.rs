//! OpenAI's codes, and those of the Codex backend and its sign-in.
//!
//! `error.code` is the specific one; `error.type` is often only a family. Rate limits are per model there, so their
//! scope is the model; a spent plan window of Codex covers the whole account.

use super::{outcome::*, vendor_rules};
use crate::verdict::Scope;

vendor_rules! {
    RULES: OpenAi "openai"
    from "https://developers.openai.com/docs/guides/error-codes" {
        exact "invalid_api_key" => AUTH;
        exact "incorrect_api_key" => AUTH;
        exact "invalid_organization" => AUTH;
        exact "mismatched_organization" => AUTH;
        exact "mismatched_project" => AUTH;
        exact "missing_scope" => AUTH;
        exact "insufficient_permissions" => AUTH;
        exact "ip_not_authorized" => AUTH;
        exact "organization_restricted" => AUTH_PERMANENT;
        exact "account_deactivated" => AUTH_PERMANENT;
        exact "access_terminated" => AUTH_PERMANENT;
        exact "unsupported_country_region_territory" => AUTH_PERMANENT.on(Scope::Provider);
        exact "rate_limit_exceeded" => RATE_LIMIT.on(Scope::Model);
        exact "slow_down" => RATE_LIMIT.on(Scope::Model);
        broad "tokens" => RATE_LIMIT.on(Scope::Model);
        broad "requests" => RATE_LIMIT.on(Scope::Model);
        exact "insufficient_quota" => BILLING;
        exact "engine_overloaded" => OVERLOADED;
        exact "server_is_overloaded" => OVERLOADED;
        weak "server_error" => SERVER_ERROR;
    }
    from "https://help.openai.com/en/articles/6614457-troubleshooting-api-usage-and-spend-limits" {
        exact "credit_balance_exhausted" => BILLING;
        exact "organization_spend_limit_exceeded" => BILLING;
        exact "project_spend_limit_exceeded" => BILLING;
        exact "organization_usage_limit_exceeded" => BILLING;
        exact "billing_hard_limit_reached" => BILLING;
        exact "billing_not_active" => BILLING;
    }
    from "https://platform.openai.com/docs/api-reference/responses/object" {
        exact "context_length_exceeded" => OVERFLOW;
        exact "string_above_max_length" => TOO_LARGE.known_as("format");
        exact "image_too_large" => TOO_LARGE.known_as("format");
        exact "image_file_too_large" => TOO_LARGE.known_as("format");
        exact "content_policy_violation" => CONTENT_POLICY;
        exact "image_content_policy_violation" => CONTENT_POLICY;
        exact "moderation_blocked" => CONTENT_POLICY;
        exact "content_filter" => CONTENT_POLICY;
        exact "invalid_prompt" => CONTENT_POLICY;
        exact "cyber_policy_violation" => CONTENT_POLICY;
        exact "bio_policy" => CONTENT_POLICY;
        exact "previous_response_not_found" => REPLAY_INVALID.known_as("session_expired");
        exact "invalid_encrypted_content" => REPLAY_INVALID;
        exact "conversation_not_found" => SESSION_EXPIRED;
        exact "unsupported_image_media_type" => FORMAT;
        exact "invalid_image" => FORMAT;
        exact "invalid_image_format" => FORMAT;
        exact "invalid_image_url" => FORMAT;
        exact "invalid_base64_image" => FORMAT;
        exact "image_parse_error" => FORMAT;
        exact "image_too_small" => FORMAT;
        exact "empty_image_file" => FORMAT;
        exact "failed_to_download_image" => FORMAT;
        exact "image_file_not_found" => FORMAT;
        exact "vector_store_timeout" => TIMEOUT;
        exact "request_timeout" => TIMEOUT;
        exact "websocket_connection_limit_reached" => RATE_LIMIT;
        exact "model_not_found" => MODEL_NOT_FOUND;
        exact "unsupported_model" => MODEL_NOT_FOUND;
        exact "model_not_available" => MODEL_NOT_FOUND;
    }
    from "https://github.com/openai/openai-python/issues/2046" {
        exact "unsupported_parameter" => FORMAT.of_this_model();
        exact "unsupported_value" => FORMAT.of_this_model();
        exact "unknown_parameter" => FORMAT;
        exact "missing_required_parameter" => FORMAT;
        exact "invalid_type" => FORMAT;
        exact "invalid_value" => FORMAT;
        exact "invalid_json" => FORMAT;
        exact "invalid_json_schema" => FORMAT;
        exact "invalid_function_parameters" => FORMAT;
        exact "unsupported_file" => FORMAT;
        exact "unsupported_content_type" => FORMAT;
        exact "invalid_base64" => FORMAT;
        exact "unsupported_api_for_model" => FORMAT.of_this_model();
        weak "invalid_request_error" => FORMAT;
    }
    from "https://github.com/openai/openai-dotnet/issues/317" {
        exact "integer_below_min_value" => FORMAT;
        exact "integer_above_max_value" => FORMAT;
        exact "decimal_above_max_value" => FORMAT;
        exact "decimal_below_min_value" => FORMAT;
        exact "array_above_max_length" => FORMAT;
        exact "array_below_min_length" => FORMAT;
        exact "empty_array" => FORMAT;
        exact "empty_string" => FORMAT;
        exact "duplicate_item" => FORMAT;
    }
}

vendor_rules! {
    CODEX: Codex "codex"
    from "https://github.com/openai/codex/issues/4172" {
        exact "usage_limit_reached" => RATE_LIMIT;
        exact "usage_not_included" => BILLING;
        exact "rate_limit_reached" => RATE_LIMIT;
        exact "rate_limit_exceeded" => RATE_LIMIT.on(Scope::Model);
        exact "workspace_owner_credits_depleted" => BILLING;
        exact "workspace_member_credits_depleted" => BILLING;
        exact "workspace_owner_usage_limit_reached" => RATE_LIMIT;
        exact "workspace_member_usage_limit_reached" => RATE_LIMIT;
        exact "deactivated_workspace" => AUTH_PERMANENT;
    }
    from "https://github.com/openai/codex/issues/6498" {
        exact "refresh_token_reused" => AUTH_PERMANENT;
        exact "refresh_token_expired" => AUTH_PERMANENT;
        exact "refresh_token_invalidated" => AUTH_PERMANENT;
        exact "app_session_terminated" => AUTH_PERMANENT;
        exact "token_revoked" => AUTH_PERMANENT;
        exact "token_invalidated" => AUTH_PERMANENT;
        broad "token_expired" => AUTH;
    }
}
