//! Vendors whose table is short: Mistral, Groq, DeepSeek, Together, Cerebras, Fireworks, iFlow, Tencent, Volcengine,
//! SiliconFlow, iFlytek; and the words of platforms that serve the models of others.

use super::{outcome::*, vendor_rules};
use crate::verdict::Scope;

vendor_rules! {
    MISTRAL: Mistral "mistral"
    from "https://docs.mistral.ai/resources/error-glossary" {
        exact "unknown_model" => MODEL_NOT_FOUND;
        exact "invalid_model" => MODEL_NOT_FOUND;
        exact "authentication_error" => AUTH;
        exact "rate_limited" => RATE_LIMIT;
        exact "1300" => RATE_LIMIT;
        exact "1500" => MODEL_NOT_FOUND;
        exact "invalid_request_message_order" => FORMAT;
        // Code 3051 under this type is an overflow, and the message says so too.
        broad "invalid_request_prompt" => FORMAT;
        exact "3051" => OVERFLOW;
        exact "context_length_exceeded" => OVERFLOW;
        exact "service_tier_capacity_exceeded" => RATE_LIMIT.on(Scope::Model);
        exact "3505" => RATE_LIMIT.on(Scope::Model);
    }
}

vendor_rules! {
    GROQ: Groq "groq"
    from "https://console.groq.com/docs/errors" {
        exact "capacity_exceeded" => OVERLOADED;
        exact "json_validate_failed" => FORMAT;
        exact "tool_use_failed" => FORMAT;
        exact "model_decommissioned" => MODEL_NOT_FOUND;
        exact "model_not_found" => MODEL_NOT_FOUND;
        exact "model_not_active" => MODEL_NOT_FOUND;
        exact "model_terms_required" => AUTH.on(Scope::Model);
        exact "model_permission_blocked_org" => AUTH.on(Scope::Model);
        exact "model_permission_blocked_project" => AUTH.on(Scope::Model);
        exact "organization_restricted" => AUTH_PERMANENT;
        exact "rate_limit_exceeded" => RATE_LIMIT.on(Scope::Model);
    }
    from "https://console.groq.com/docs/spend-limits" {
        exact "blocked_api_access" => BILLING;
    }
}

vendor_rules! {
    DEEPSEEK: DeepSeek "deepseek"
    from "https://api-docs.deepseek.com/quick_start/error_codes" {
        exact "authentication_error" => AUTH;
        weak "invalid_request_error" => FORMAT;
        weak "unknown_error" => SERVER_ERROR;
    }
}

vendor_rules! {
    TOGETHER: Together "together"
    from "https://docs.together.ai/docs/error-codes" {
        exact "credit_limit_exceeded" => BILLING;
        exact "model_not_available" => MODEL_NOT_FOUND;
        exact "dynamic_request_limited" => RATE_LIMIT.on(Scope::Model);
        exact "dynamic_token_limited" => RATE_LIMIT.on(Scope::Model);
    }
}

vendor_rules! {
    CEREBRAS: Cerebras "cerebras"
    from "https://inference-docs.cerebras.ai/support/error" {
        exact "queue_exceeded" => OVERLOADED;
        exact "request_quota_exceeded" => RATE_LIMIT;
        exact "token_quota_exceeded" => RATE_LIMIT;
        broad "too_many_requests_error" => RATE_LIMIT;
        broad "too_many_tokens_error" => RATE_LIMIT;
        exact "wrong_api_key" => AUTH;
        exact "payment_required_error" => BILLING;
    }
}

vendor_rules! {
    FIREWORKS: Fireworks "fireworks"
    from "https://docs.fireworks.ai/guides/inference-error-codes" {
        broad "precondition_failed" => AUTH_PERMANENT;
        exact "invalid_request" => FORMAT;
    }
}

vendor_rules! {
    IFLOW: IFlow "iflow"
    from "https://platform.iflow.cn/en/docs/error-codes" {
        exact "434" => AUTH;
        exact "435" => MODEL_NOT_FOUND;
        exact "439" => AUTH;
        exact "449" => RATE_LIMIT;
        exact "514" => SERVER_ERROR;
        exact "40303" => RATE_LIMIT;
    }
}

vendor_rules! {
    /// Tencent Cloud names an error `Family.Detail`; a family of one meaning is listed by its name alone.
    TENCENT: Tencent "tencent"
    from "https://www.tencentcloud.com/document/api/1284/75543" {
        exact "AuthFailure" => AUTH;
        exact "UnauthorizedOperation" => AUTH;
        exact "FailedOperation.UserUnAuthError" => AUTH;
        exact "FailedOperation.ServiceNotActivated" => AUTH;
        exact "FailedOperation.ServiceStop" => BILLING;
        exact "FailedOperation.ServiceStopArrears" => BILLING;
        exact "FailedOperation.ResourcePackExhausted" => BILLING;
        exact "FailedOperation.FreeResourcePackExhausted" => BILLING;
        exact "ResourceInsufficient.ChargeResourceExhaust" => BILLING;
        exact "ResourceUnavailable.InArrears" => BILLING;
        exact "ResourceUnavailable.LowBalance" => BILLING;
        exact "LimitExceeded" => RATE_LIMIT;
        exact "RequestLimitExceeded" => RATE_LIMIT;
        exact "FailedOperation.EngineServerLimitExceeded" => RATE_LIMIT;
        exact "FailedOperation.EngineRequestTimeout" => TIMEOUT;
        exact "FailedOperation.EngineServerError" => SERVER_ERROR;
        weak "FailedOperation" => SERVER_ERROR;
        weak "InternalError" => SERVER_ERROR;
        broad "InvalidParameter" => FORMAT;
        broad "InvalidParameterValue" => FORMAT;
        exact "InvalidParameterValue.Model" => MODEL_NOT_FOUND;
        exact "MissingParameter" => FORMAT;
        exact "UnknownParameter" => FORMAT;
    }
}

vendor_rules! {
    VOLCENGINE: Volcengine "ark"
    from "https://www.volcengine.com/docs/82379/1299023" {
        exact "MissingParameter" => FORMAT;
        broad "InvalidParameter" => FORMAT;
        exact "InvalidEndpoint.ClosedEndpoint" => MODEL_NOT_FOUND;
        exact "InvalidEndpoint.NotFound" => MODEL_NOT_FOUND;
        exact "InvalidEndpointOrModel.NotFound" => MODEL_NOT_FOUND;
        exact "InvalidEndpointOrModel" => MODEL_NOT_FOUND;
        exact "ModelNotOpen" => MODEL_NOT_FOUND;
        exact "UnsupportedModel" => MODEL_NOT_FOUND;
        exact "AuthenticationError" => AUTH;
        exact "InvalidAccountStatus" => AUTH_PERMANENT;
        exact "AccessDenied" => AUTH;
        exact "OperationDenied" => AUTH;
        exact "AccountOverdueError" => BILLING;
        exact "OperationDenied.ServiceOverdue" => BILLING;
        exact "InvalidSubscription" => BILLING;
        exact "QuotaExceeded" => BILLING.on(Scope::Model);
        exact "SetLimitExceeded" => BILLING.on(Scope::Model);
        exact "SensitiveContentDetected" => CONTENT_POLICY;
        exact "InputTextSensitiveContentDetected" => CONTENT_POLICY;
        exact "InputImageSensitiveContentDetected" => CONTENT_POLICY;
        exact "OutputTextSensitiveContentDetected" => CONTENT_POLICY;
        exact "InputTextRiskDetection" => CONTENT_POLICY;
        exact "InputImageRiskDetection" => CONTENT_POLICY;
        exact "OutputTextRiskDetection" => CONTENT_POLICY;
        exact "OutputImageRiskDetection" => CONTENT_POLICY;
        exact "ContentSecurityDetectionError" => CONTENT_POLICY;
        exact "RateLimitExceeded" => RATE_LIMIT;
        exact "AccountRateLimitExceeded" => RATE_LIMIT;
        exact "ModelAccountRpmRateLimitExceeded" => RATE_LIMIT.on(Scope::Model);
        exact "ModelAccountTpmRateLimitExceeded" => RATE_LIMIT.on(Scope::Model);
        exact "ModelAccountIpmRateLimitExceeded" => RATE_LIMIT.on(Scope::Model);
        exact "APIAccountRpmRateLimitExceeded" => RATE_LIMIT;
        exact "InflightBatchsizeExceeded" => RATE_LIMIT;
        exact "AccountQuotaExceeded" => RATE_LIMIT;
        exact "RequestBurstTooFast" => RATE_LIMIT;
        exact "ModelLoadingError" => OVERLOADED;
        exact "ServerOverloaded" => OVERLOADED;
        exact "InternalServiceError" => SERVER_ERROR;
    }
}

vendor_rules! {
    SILICONFLOW: SiliconFlow "siliconflow"
    from "https://docs.siliconflow.cn/en/faqs/error-code" {
        exact "20012" => MODEL_NOT_FOUND;
        // Any parameter, the length of the prompt among them: the message says which.
        broad "20015" => FORMAT;
        exact "30001" => BILLING;
        exact "30003" => MODEL_NOT_FOUND;
        exact "30011" => BILLING;
        exact "50501" => SERVER_ERROR;
        exact "50505" => OVERLOADED;
        exact "60000" => SERVER_ERROR;
    }
}

vendor_rules! {
    /// Spark answers with 200 and its own code in the header of the frame.
    IFLYTEK: IFlytek "iflytek"
    from "https://www.xfyun.cn/doc/spark/Web.html" {
        exact "10003" => FORMAT;
        exact "10004" => FORMAT;
        exact "10005" => FORMAT;
        exact "10006" => RATE_LIMIT;
        exact "10007" => RATE_LIMIT;
        exact "10008" => OVERLOADED;
        exact "10009" => SERVER_ERROR;
        exact "10010" => SERVER_ERROR;
        exact "10011" => SERVER_ERROR;
        exact "10012" => SERVER_ERROR;
        exact "10013" => CONTENT_POLICY;
        exact "10014" => CONTENT_POLICY;
        exact "10015" => AUTH_PERMANENT;
        // A feature that was not bought, tokens used up, or too many at once: the message says which.
        broad "10016" => AUTH;
        exact "10019" => CONTENT_POLICY;
        exact "10110" => OVERLOADED;
        exact "10907" => OVERFLOW;
        broad "11200" => AUTH;
        exact "11201" => RATE_LIMIT;
        exact "11202" => RATE_LIMIT;
        exact "11203" => RATE_LIMIT;
    }
}

vendor_rules! {
    /// Words that only these platforms use, and each for one thing.
    PLATFORMS: Generic "platform"
    from "https://docs.databricks.com/api/workspace/errors" {
        exact "REQUEST_LIMIT_EXCEEDED" => RATE_LIMIT;
        exact "ENDPOINT_NOT_FOUND" => MODEL_NOT_FOUND;
        exact "RESOURCE_DOES_NOT_EXIST" => MODEL_NOT_FOUND;
        exact "TEMPORARILY_UNAVAILABLE" => OVERLOADED;
        broad "INVALID_PARAMETER_VALUE" => FORMAT;
    }
    from "https://cloud.ibm.com/apidocs/watsonx-ai" {
        exact "authentication_token_expired" => AUTH;
        exact "authentication_token_not_valid" => AUTH;
        exact "authorization_rejected" => AUTH;
        exact "no_associated_service_instance_error" => AUTH;
        exact "token_quota_reached" => BILLING;
        exact "consumptions_limit_reached" => RATE_LIMIT;
        exact "rate_limit_reached_requests" => RATE_LIMIT;
        exact "json_type_error" => FORMAT;
        broad "json_validation_error" => FORMAT;
        broad "invalid_input_argument" => FORMAT;
        exact "downstream_request_failed" => SERVER_ERROR;
        exact "BXNIM0415E" => AUTH;
    }
    from "https://platform.stepfun.com/docs/zh/guides/developer/error-codes" {
        exact "censorship_blocked" => CONTENT_POLICY;
    }
}
