//! Azure OpenAI and Microsoft Foundry: the codes that Azure adds to OpenAI's.

use super::{outcome::*, vendor_rules};

vendor_rules! {
    RULES: Azure "azure"
    from "https://learn.microsoft.com/azure/foundry/openai/how-to/troubleshoot-errors" {
        exact "DeploymentNotFound" => MODEL_NOT_FOUND;
        exact "unavailable_model" => MODEL_NOT_FOUND;
        exact "unknown_model" => MODEL_NOT_FOUND;
        exact "ModelNotFound" => MODEL_NOT_FOUND;
        exact "OperationNotSupported" => FORMAT.of_this_model();
        exact "PermissionDenied" => AUTH;
        exact "AuthenticationFailed" => AUTH;
        exact "InvalidSubscriptionKey" => AUTH;
        exact "SubscriptionKeyInvalid" => AUTH;
        exact "TooManyRequests" => RATE_LIMIT;
        exact "RateLimitReached" => RATE_LIMIT;
        exact "NoCapacity" => OVERLOADED;
        exact "InternalServerError" => SERVER_ERROR;
        exact "RequestTooLarge" => TOO_LARGE;
        exact "tokens_limit_reached" => OVERFLOW;
    }
    from "https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter" {
        exact "content_filter" => CONTENT_POLICY;
        exact "ResponsibleAIPolicyViolation" => CONTENT_POLICY;
    }
}
