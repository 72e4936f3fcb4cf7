//! Routers and proxies in front of providers: OpenRouter, ZenMux, GitHub Copilot, Cloudflare, OpenCode Zen, Vercel, LiteLLM,
//! One API and its kin.
//!
//! A router's own limit concerns the caller's credential; what it relays from behind itself concerns the upstream, and
//! the reader of the envelope sets that scope.

use super::{outcome::*, vendor_rules};
use crate::verdict::Scope;

vendor_rules! {
    OPENROUTER: OpenRouter "openrouter"
    from "https://openrouter.ai/docs/api/reference/errors-and-debugging" {
        exact "in_flight_budget_exhausted" => RATE_LIMIT;
        exact "openrouter_in_flight_budget" => RATE_LIMIT;
        exact "weight_exceeds_budget" => BILLING;
        exact "insufficient_credits" => BILLING;
        exact "payment_required" => BILLING;
        exact "key_limit_exceeded" => BILLING;
        exact "rate_limit_exceeded" => RATE_LIMIT;
        exact "provider_overloaded" => OVERLOADED.on(Scope::Upstream);
        exact "provider_unavailable" => OVERLOADED.on(Scope::Upstream);
        exact "context_length_exceeded" => OVERFLOW;
        exact "content_policy_violation" => CONTENT_POLICY;
        exact "guardrail_blocked" => CONTENT_POLICY;
        exact "no_endpoints_found" => MODEL_NOT_FOUND;
    }
}

vendor_rules! {
    ZENMUX: ZenMux "zenmux"
    from "https://docs.zenmux.ai/guide/advanced/error-codes.html" {
        exact "invalid_params" under 413 => OVERFLOW;
        broad "invalid_params" => FORMAT;
        exact "insufficient_credit" => BILLING;
        exact "reject_no_credit" => BILLING;
        exact "quote_exceeded" => RATE_LIMIT;
        exact "access_denied" => AUTH;
        exact "safety_check_failed" => CONTENT_POLICY;
        exact "model_not_available" => BILLING.on(Scope::Model);
        exact "invalid_model" => MODEL_NOT_FOUND;
        exact "model_not_supported" => MODEL_NOT_FOUND;
        exact "provider_unprocessable_entity_error" => FORMAT;
        exact "rate_limit" => RATE_LIMIT;
        exact "internal_server_error" => SERVER_ERROR;
        exact "provider_api_error" => SERVER_ERROR.on(Scope::Upstream);
        exact "provider_error" => SERVER_ERROR.on(Scope::Upstream);
        exact "no_provider_available" => OVERLOADED.on(Scope::Upstream);
        exact "provider_internal_server_error" under 524 => TIMEOUT.on(Scope::Upstream);
        exact "provider_internal_server_error" => SERVER_ERROR.on(Scope::Upstream);
    }
}

vendor_rules! {
    COPILOT: Copilot "copilot"
    from "https://github.com/github/copilot-cli/issues/793" {
        exact "rate_limited" => RATE_LIMIT;
        exact "user_global_rate_limited" => RATE_LIMIT;
        exact "user_model_rate_limited" => RATE_LIMIT.on(Scope::Model);
        exact "integration_rate_limited" => RATE_LIMIT;
        exact "upstream_provider_rate_limit" => RATE_LIMIT.on(Scope::Upstream);
        exact "agent_mode_limit_exceeded" => RATE_LIMIT;
    }
    from "https://github.com/microsoft/vscode-copilot-chat" {
        exact "user_weekly_rate_limited" => RATE_LIMIT;
        exact "model_overloaded" => OVERLOADED;
    }
    from "https://github.com/github/copilot-cli/issues/730" {
        exact "quota_exceeded" => BILLING;
        exact "free_quota_exceeded" => BILLING;
        exact "overage_limit_reached" => BILLING;
        exact "billing_not_configured" => BILLING;
    }
    from "https://docs.github.com/en/copilot/reference/ai-models/supported-models" {
        exact "model_not_supported" => MODEL_NOT_FOUND;
        exact "model_not_available_for_integrator" => MODEL_NOT_FOUND;
        exact "unsupported_api_for_model" => FORMAT.of_this_model();
        exact "invalid_request_body" => FORMAT;
        exact "model_max_prompt_tokens_exceeded" => OVERFLOW;
    }
}

vendor_rules! {
    PROXIES: Gateway "proxy"
    from "https://docs.litellm.ai/docs/exception_mapping" {
        exact "ContextWindowExceededError" => OVERFLOW;
        exact "ContentPolicyViolationError" => CONTENT_POLICY;
        exact "budget_exceeded" => BILLING;
        exact "BudgetExceededError" => BILLING;
        exact "terminal_quota_exhausted" => BILLING;
        exact "token_not_found_in_db" => AUTH;
        exact "expired_key" => AUTH;
        exact "key_model_access_denied" => AUTH;
        exact "team_model_access_denied" => AUTH;
        exact "no_db_connection" => SERVER_ERROR;
        exact "UnsupportedParamsError" => FORMAT.of_this_model();
    }
    from "https://doc.tokendog.io/zh/api-reference/guide/error-codes" {
        exact "insufficient_user_quota" => BILLING;
        exact "pre_consume_token_quota_failed" => BILLING;
        exact "insufficient_balance" => BILLING;
        exact "NOT_ENOUGH_BALANCE" => BILLING;
        exact "insufficient_funds" => BILLING;
        exact "sensitive_words_detected" => CONTENT_POLICY;
        exact "prompt_blocked" => CONTENT_POLICY;
        exact "get_channel_failed" => OVERLOADED.on(Scope::Upstream);
        exact "channel:no_available_key" => OVERLOADED.on(Scope::Upstream);
        exact "channel:invalid_key" => AUTH.on(Scope::Upstream);
        exact "channel:response_time_exceeded" => TIMEOUT.on(Scope::Upstream);
        exact "do_request_failed" => TIMEOUT.on(Scope::Upstream);
        exact "bad_request_body" => FORMAT;
        exact "FAILED_TO_AUTH" => AUTH;
        exact "TOKEN_LIMIT_EXCEEDED" => RATE_LIMIT;
        exact "SERVICE_NOT_AVAILABLE" => OVERLOADED;
        weak "bad_response" => SERVER_ERROR;
        weak "bad_response_status_code" => SERVER_ERROR;
        weak "upstream_error" => SERVER_ERROR;
        weak "provider_response_error" => SERVER_ERROR;
        exact "empty_response" => EMPTY_RESPONSE;
    }
}

vendor_rules! {
    /// Workers AI and AI Gateway: four digits in `errors[].code`, beneath a status that does not always fit them.
    CLOUDFLARE: Cloudflare "cloudflare"
    from "https://developers.cloudflare.com/workers-ai/platform/errors/" {
        exact "3003" => FORMAT;
        exact "3006" => TOO_LARGE;
        exact "3007" => TIMEOUT;
        exact "3008" => TIMEOUT;
        exact "3023" => AUTH_PERMANENT;
        exact "3036" => RATE_LIMIT;
        exact "3039" => FORMAT;
        exact "3040" => OVERLOADED;
        exact "3041" => AUTH.on(Scope::Model);
        exact "3042" => MODEL_NOT_FOUND;
        exact "4006" => RATE_LIMIT;
        exact "5004" => FORMAT;
        exact "5005" => FORMAT.of_this_model();
        exact "5007" => MODEL_NOT_FOUND;
        exact "5016" => AUTH.on(Scope::Model);
        exact "5018" => AUTH.on(Scope::Model);
        exact "5019" => FORMAT;
    }
    from "https://github.com/cloudflare/ai/issues/436" {
        exact "2005" => SERVER_ERROR.on(Scope::Upstream);
        exact "2009" => AUTH;
    }
}

vendor_rules! {
    /// OpenCode Zen and Go put 401 on spent credit and on models that they do not have; the type says which it was.
    OPENCODE: OpenCode "opencode"
    from "https://github.com/anomalyco/opencode/issues/37161" {
        exact "CreditsError" => BILLING;
        exact "MonthlyLimitError" => BILLING;
        exact "UserLimitError" => BILLING;
        exact "AuthError" => AUTH;
        broad "FreeUsageLimitError" => RATE_LIMIT;
        broad "GoUsageLimitError" => RATE_LIMIT;
        broad "SubscriptionUsageLimitError" => RATE_LIMIT;
        broad "RateLimitError" => RATE_LIMIT;
    }
    from "https://github.com/anomalyco/opencode/issues/38624" {
        broad "ModelError" => MODEL_NOT_FOUND;
    }
    from "https://github.com/decolua/9router/issues/4103" {
        exact "FreeTierError" => AUTH;
    }
}

vendor_rules! {
    VERCEL: Gateway "vercel"
    from "https://vercel.com/docs/ai-gateway" {
        exact "customer_verification_required" => BILLING;
        exact "insufficient_funds_error" => BILLING;
        broad "model_not_found_error" => MODEL_NOT_FOUND;
    }
}
