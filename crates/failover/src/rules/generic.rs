//! What everybody shares: the dialects that providers copy, gRPC's statuses, the names that client libraries give their
//! errors, and the codes of broken transports.
//!
//! A code that only vendors document, and all in the same sense, is found without a vendor too; the index adds those.

use super::{outcome::*, vendor_rules};

vendor_rules! {
    RULES: Generic "generic"
    from "https://developers.openai.com/docs/guides/error-codes" {
        broad "insufficient_quota" => BILLING;
        exact "rate_limit_exceeded" => RATE_LIMIT;
        broad "rate_limit" => RATE_LIMIT;
        broad "rate_limited" => RATE_LIMIT;
        broad "rate_limit_error" => RATE_LIMIT;
        broad "too_many_requests" => RATE_LIMIT;
        broad "usage_limit_reached" => RATE_LIMIT;
        broad "quota_exceeded" => RATE_LIMIT;
        broad "requests" => RATE_LIMIT;
        broad "tokens" => RATE_LIMIT;
        exact "authentication_error" => AUTH;
        exact "invalid_api_key" => AUTH;
        broad "permission_error" => AUTH;
        broad "permission_denied_error" => AUTH;
        broad "unauthorized" => AUTH;
        broad "forbidden" => AUTH;
        broad "access_denied" => AUTH;
        exact "account_suspended" => AUTH_PERMANENT;
        exact "account_disabled" => AUTH_PERMANENT;
        exact "invalid_grant" => AUTH_PERMANENT;
        exact "unauthorized_client" => AUTH_PERMANENT;
        broad "invalid_token" => AUTH;
        broad "token_expired" => AUTH;
        broad "payment_required" => BILLING;
        broad "billing_error" => BILLING;
        exact "context_length_exceeded" => OVERFLOW;
        exact "context_window_exceeded" => OVERFLOW;
        exact "max_context_length_exceeded" => OVERFLOW;
        exact "content_filter" => CONTENT_POLICY;
        exact "content_policy_violation" => CONTENT_POLICY;
        broad "overloaded" => OVERLOADED;
        broad "service_unavailable" => OVERLOADED;
        broad "service_unavailable_error" => OVERLOADED;
        broad "capacity_exceeded" => OVERLOADED;
        broad "timeout" => TIMEOUT;
        broad "gateway_timeout" => TIMEOUT;
        broad "model_not_supported" => MODEL_NOT_FOUND;
        broad "not_found_error" => MODEL_NOT_FOUND;
        exact "invalid_model" => MODEL_NOT_FOUND;
        exact "session_expired" => SESSION_EXPIRED;
        exact "session_not_found" => SESSION_EXPIRED;
        broad "validation_error" => FORMAT;
        broad "unprocessable_entity" => FORMAT;
        weak "invalid_request_error" => FORMAT;
        weak "invalid_request" => FORMAT;
        weak "bad_request" => FORMAT;
        weak "api_error" => SERVER_ERROR;
        weak "server_error" => SERVER_ERROR;
        weak "internal_error" => SERVER_ERROR;
        weak "internal_server_error" => SERVER_ERROR;
    }
}

vendor_rules! {
    /// The flat reasons that agent programs put on an error when they have classified it themselves.
    FLAT: Generic "flat"
    from "https://github.com/openclaw/openclaw/issues/51629" {
        broad "billing" => BILLING;
        broad "auth" => AUTH;
        broad "auth_permanent" => AUTH_PERMANENT;
        broad "format" => FORMAT;
        broad "context_overflow" => OVERFLOW;
        broad "content_policy" => CONTENT_POLICY;
        broad "empty_response" => EMPTY_RESPONSE;
    }
}

vendor_rules! {
    /// The status names that need no vendor. `UNKNOWN` says nothing and is left out.
    GRPC: Generic "grpc"
    from "https://grpc.io/docs/guides/status-codes/" {
        weak "INVALID_ARGUMENT" => FORMAT;
        weak "FAILED_PRECONDITION" => FORMAT;
        weak "OUT_OF_RANGE" => FORMAT;
        weak "ALREADY_EXISTS" => FORMAT;
        weak "UNIMPLEMENTED" => FORMAT;
        broad "UNAUTHENTICATED" => AUTH;
        broad "PERMISSION_DENIED" => AUTH;
        broad "NOT_FOUND" => MODEL_NOT_FOUND;
        exact "RESOURCE_EXHAUSTED" under 402 => BILLING;
        broad "RESOURCE_EXHAUSTED" => RATE_LIMIT;
        broad "DEADLINE_EXCEEDED" => TIMEOUT;
        weak "CANCELLED" => TIMEOUT;
        broad "UNAVAILABLE" => OVERLOADED;
        weak "ABORTED" => SERVER_ERROR;
        weak "DATA_LOSS" => SERVER_ERROR;
        weak "INTERNAL" => SERVER_ERROR;
    }
}

vendor_rules! {
    SDK_NAMES: Generic "sdk"
    from "https://docs.litellm.ai/docs/exception_mapping" {
        broad "RateLimitError" => RATE_LIMIT;
        broad "AuthenticationError" => AUTH;
        broad "PermissionDeniedError" => AUTH;
        broad "NotFoundError" => MODEL_NOT_FOUND;
        weak "BadRequestError" => FORMAT;
        weak "InvalidRequestError" => FORMAT;
        broad "UnprocessableEntityError" => FORMAT;
        broad "ServiceUnavailableError" => OVERLOADED;
        broad "OverloadedError" => OVERLOADED;
        broad "APITimeoutError" => TIMEOUT;
        broad "APIConnectionTimeoutError" => TIMEOUT;
        broad "ReadTimeoutError" => TIMEOUT;
        broad "EndpointConnectionError" => TIMEOUT;
        broad "ConnectionClosedError" => TIMEOUT;
        broad "NoCredentialsError" => AUTH;
        broad "CredentialsProviderError" => AUTH;
        broad "ContextOverflowError" => OVERFLOW;
        broad "APIConnectionError" => TIMEOUT;
        broad "TimeoutError" => TIMEOUT;
        broad "ConnectTimeout" => TIMEOUT;
        broad "ReadTimeout" => TIMEOUT;
        broad "ConnectTimeoutError" => TIMEOUT;
        broad "InsufficientQuotaError" => BILLING;
        weak "InternalServerError" => SERVER_ERROR;
        weak "ModelError" => SERVER_ERROR;
        exact "ContextWindowExceededError" => OVERFLOW;
        exact "ContentPolicyViolationError" => CONTENT_POLICY;
        exact "BudgetExceededError" => BILLING;
    }
    from "https://ai-sdk.dev/docs/reference/ai-sdk-errors" {
        exact "AI_NoOutputGeneratedError" => EMPTY_RESPONSE;
        exact "AI_NoContentGeneratedError" => EMPTY_RESPONSE;
        exact "AI_EmptyResponseBodyError" => EMPTY_RESPONSE;
        exact "AI_NoSuchModelError" => MODEL_NOT_FOUND;
        exact "AI_NoSuchProviderError" => MODEL_NOT_FOUND;
        exact "AI_LoadAPIKeyError" => AUTH;
        exact "AI_InvalidPromptError" => FORMAT;
        exact "AI_InvalidArgumentError" => FORMAT;
        exact "AI_InvalidMessageRoleError" => FORMAT;
        exact "AI_MessageConversionError" => FORMAT;
        exact "AI_UnsupportedFunctionalityError" => FORMAT.of_this_model();
        broad "AI_InvalidResponseDataError" => SERVER_ERROR;
        broad "GatewayAuthenticationError" => AUTH;
        broad "GatewayRateLimitError" => RATE_LIMIT;
        broad "GatewayModelNotFoundError" => MODEL_NOT_FOUND;
        broad "GatewayTimeoutError" => TIMEOUT;
        weak "GatewayInvalidRequestError" => FORMAT;
        weak "GatewayInternalServerError" => SERVER_ERROR;
    }
}

vendor_rules! {
    /// Codes that a transport gives itself. Their evidence is the transport, not an answer.
    TRANSPORT: Generic "transport"
    from "https://nodejs.org/api/errors.html#common-system-errors" {
        exact "ECONNRESET" => TIMEOUT;
        exact "ECONNREFUSED" => TIMEOUT;
        exact "ECONNABORTED" => TIMEOUT;
        exact "ETIMEDOUT" => TIMEOUT;
        exact "ESOCKETTIMEDOUT" => TIMEOUT;
        exact "ENOTFOUND" => TIMEOUT;
        exact "EAI_AGAIN" => TIMEOUT;
        exact "EAI_FAIL" => TIMEOUT;
        exact "ESERVFAIL" => TIMEOUT;
        exact "EREFUSED" => TIMEOUT;
        exact "ETIMEOUT" => TIMEOUT;
        exact "EHOSTUNREACH" => TIMEOUT;
        exact "EHOSTDOWN" => TIMEOUT;
        exact "ENETUNREACH" => TIMEOUT;
        exact "ENETDOWN" => TIMEOUT;
        exact "ENETRESET" => TIMEOUT;
        exact "EPIPE" => TIMEOUT;
        exact "EPROTO" => TIMEOUT;
        exact "ERR_NETWORK" => TIMEOUT;
        exact "ERR_STREAM_PREMATURE_CLOSE" => TIMEOUT;
        exact "ERR_HTTP2_STREAM_ERROR" => TIMEOUT;
        exact "ERR_SSL_WRONG_VERSION_NUMBER" => TIMEOUT;
        exact "ERR_SSL_BAD_RECORD_MAC" => TIMEOUT;
    }
    from "https://undici.nodejs.org/#/docs/api/Errors" {
        exact "UND_ERR_CONNECT_TIMEOUT" => TIMEOUT;
        exact "UND_ERR_HEADERS_TIMEOUT" => TIMEOUT;
        exact "UND_ERR_BODY_TIMEOUT" => TIMEOUT;
        exact "UND_ERR_SOCKET" => TIMEOUT;
        exact "UND_ERR_CLOSED" => TIMEOUT;
        exact "UND_ERR_RES_CONTENT_LENGTH_MISMATCH" => TIMEOUT;
    }
    from "https://nodejs.org/api/tls.html#x509-certificate-error-codes" {
        exact "CERT_HAS_EXPIRED" => TLS_TRUST;
        exact "CERT_NOT_YET_VALID" => TLS_TRUST;
        exact "CERT_UNTRUSTED" => TLS_TRUST;
        exact "CERT_REVOKED" => TLS_TRUST;
        exact "DEPTH_ZERO_SELF_SIGNED_CERT" => TLS_TRUST;
        exact "SELF_SIGNED_CERT_IN_CHAIN" => TLS_TRUST;
        exact "UNABLE_TO_GET_ISSUER_CERT" => TLS_TRUST;
        exact "UNABLE_TO_GET_ISSUER_CERT_LOCALLY" => TLS_TRUST;
        exact "UNABLE_TO_VERIFY_LEAF_SIGNATURE" => TLS_TRUST;
        exact "ERR_TLS_CERT_ALTNAME_INVALID" => TLS_TRUST;
    }
}
