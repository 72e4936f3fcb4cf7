//! Google: Gemini API, Vertex AI and Cloud Code.
//!
//! Three layers of words: the gRPC status (`RESOURCE_EXHAUSTED`), the reason of `google.rpc.ErrorInfo`
//! (`RATE_LIMIT_EXCEEDED`), and prose. The reason is the specific one; the status is a family that covers prepaid credit
//! under 402 and a throttle under 429.

use super::{outcome::*, vendor_rules};
use crate::verdict::Scope;

vendor_rules! {
    RULES: Google "google"
    from "https://ai.google.dev/gemini-api/docs/generate-content/api-errors" {
        exact "RESOURCE_EXHAUSTED" under 402 => BILLING;
        broad "RESOURCE_EXHAUSTED" => RATE_LIMIT.on(Scope::Model);
        weak "INVALID_ARGUMENT" => FORMAT;
        broad "FAILED_PRECONDITION" => BILLING;
        broad "PERMISSION_DENIED" => AUTH;
        broad "UNAUTHENTICATED" => AUTH;
        broad "NOT_FOUND" => MODEL_NOT_FOUND;
        broad "UNAVAILABLE" => OVERLOADED;
        broad "DEADLINE_EXCEEDED" => TIMEOUT;
        weak "INTERNAL" => SERVER_ERROR;
        broad "payment_required" => BILLING;
    }
    from "https://cloud.google.com/apis/design/errors" {
        exact "API_KEY_INVALID" => AUTH;
        exact "API_KEY_SERVICE_BLOCKED" => AUTH;
        exact "API_KEY_HTTP_REFERRER_BLOCKED" => AUTH;
        exact "API_KEY_IP_ADDRESS_BLOCKED" => AUTH;
        exact "API_KEY_ANDROID_APP_BLOCKED" => AUTH;
        exact "API_KEY_IOS_APP_BLOCKED" => AUTH;
        exact "SECURITY_POLICY_VIOLATED" => AUTH;
        exact "USER_BLOCKED_BY_ADMIN" => AUTH_PERMANENT;
        exact "CREDENTIALS_MISSING" => AUTH;
        exact "ACCESS_TOKEN_EXPIRED" => AUTH;
        exact "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => AUTH;
        exact "ACCESS_TOKEN_TYPE_UNSUPPORTED" => AUTH;
        exact "ACCOUNT_STATE_INVALID" => AUTH_PERMANENT;
        exact "CONSUMER_INVALID" => AUTH;
        exact "CONSUMER_SUSPENDED" => AUTH_PERMANENT;
        exact "SERVICE_DISABLED" => AUTH;
        exact "USER_PROJECT_DENIED" => AUTH;
        exact "IAM_PERMISSION_DENIED" => AUTH;
        exact "LOCATION_POLICY_VIOLATED" => AUTH_PERMANENT;
        exact "BILLING_DISABLED" => BILLING;
        exact "RATE_LIMIT_EXCEEDED" => RATE_LIMIT.on(Scope::Model);
        exact "RESOURCE_QUOTA_EXCEEDED" => RATE_LIMIT;
    }
    from "https://github.com/google-gemini/gemini-cli/issues/8437" {
        exact "QUOTA_EXHAUSTED" => RATE_LIMIT.on(Scope::Model);
        exact "MODEL_CAPACITY_EXHAUSTED" => OVERLOADED;
        exact "INSUFFICIENT_G1_CREDITS_BALANCE" => BILLING;
        exact "VALIDATION_REQUIRED" => AUTH;
        exact "UNSUPPORTED_LOCATION" => AUTH_PERMANENT;
        exact "TOS_VIOLATION" => AUTH_PERMANENT;
    }
    from "https://ai.google.dev/api/generate-content#FinishReason" {
        exact "PROHIBITED_CONTENT" => CONTENT_POLICY;
        exact "BLOCKLIST" => CONTENT_POLICY;
        exact "SPII" => CONTENT_POLICY;
        exact "SAFETY" => CONTENT_POLICY;
        exact "RECITATION" => CONTENT_POLICY;
        exact "IMAGE_SAFETY" => CONTENT_POLICY;
        exact "MALFORMED_FUNCTION_CALL" => EMPTY_RESPONSE;
        exact "UNEXPECTED_TOOL_CALL" => EMPTY_RESPONSE;
        // A candidate that ended well and is reported as a failure held nothing.
        weak "STOP" => EMPTY_RESPONSE;
        weak "MAX_TOKENS" => EMPTY_RESPONSE;
    }
    from "https://github.com/google-gemini/gemini-cli/blob/main/packages/core/src/core/geminiChat.ts" {
        exact "InvalidStreamError" => EMPTY_RESPONSE;
        exact "NO_FINISH_REASON" => EMPTY_RESPONSE;
        exact "NO_RESPONSE_TEXT" => EMPTY_RESPONSE;
    }
}
