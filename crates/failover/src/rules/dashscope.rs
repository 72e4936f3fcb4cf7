//! Alibaba Cloud Model Studio (DashScope, Qwen).
//!
//! Codes come with and without a detail behind a dot (`Throttling.RateQuota`); the index falls back to what is before
//! the dot. `insufficient_quota` is the OpenAI-compatible name of a throttle here, not of an empty account.

use super::{outcome::*, vendor_rules};

vendor_rules! {
    RULES: DashScope "dashscope"
    from "https://help.aliyun.com/en/model-studio/error-code" {
        exact "InvalidApiKey" => AUTH;
        exact "invalid_api_key" => AUTH;
        exact "Model.AccessDenied" => AUTH.on(crate::verdict::Scope::Model);
        exact "App.AccessDenied" => AUTH;
        exact "Workspace.AccessDenied" => AUTH;
        broad "AccessDenied" => AUTH;
        exact "AccessDenied.Unpurchased" => BILLING;
        exact "Arrearage" => BILLING;
        exact "PrepaidBillOverdue" => BILLING;
        exact "PostpaidBillOverdue" => BILLING;
        exact "CommodityNotPurchased" => BILLING;
        exact "AllocationQuota.FreeTierOnly" => BILLING;
        exact "ModelNotFound" => MODEL_NOT_FOUND;
        exact "model_not_found" => MODEL_NOT_FOUND;
        exact "model_not_supported" => MODEL_NOT_FOUND;
        broad "NotFound" => MODEL_NOT_FOUND;
        exact "DataInspectionFailed" => CONTENT_POLICY;
        exact "data_inspection_failed" => CONTENT_POLICY;
        broad "InvalidParameter" => FORMAT;
        broad "invalid_parameter_error" => FORMAT;
        exact "InvalidURL" => FORMAT;
        exact "InvalidFile" => FORMAT;
        exact "InvalidImage" => FORMAT;
        exact "InvalidSchema" => FORMAT;
        exact "UnsupportedOperation" => FORMAT;
        exact "mismatched_model" => FORMAT;
        exact "BadRequest.TooLarge" => TOO_LARGE;
        broad "BadRequest" => FORMAT;
        exact "RequestTimeOut" => TIMEOUT;
        exact "ResponseTimeout" => TIMEOUT;
        exact "InternalError.Timeout" => TIMEOUT;
        broad "InternalError" => SERVER_ERROR;
        broad "internal_error" => SERVER_ERROR;
        exact "SystemError" => SERVER_ERROR;
        broad "InternalError.Algo.InvalidParameter" => FORMAT;
        exact "InternalError.Algo" => SERVER_ERROR;
        exact "InternalError.FileUpload" => SERVER_ERROR;
        exact "ModelServingError" => OVERLOADED;
        exact "ModelServiceFailed" => SERVER_ERROR;
        exact "ModelUnavailable" => OVERLOADED;
        exact "ServiceUnavailable" => OVERLOADED;
    }
    from "https://alibabacloud.com/help/en/model-studio/rate-limit" {
        exact "Throttling" => RATE_LIMIT;
        exact "Throttling.RateQuota" => RATE_LIMIT;
        exact "Throttling.BurstRate" => RATE_LIMIT;
        exact "Throttling.AllocationQuota" => RATE_LIMIT;
        exact "LimitRequests" => RATE_LIMIT;
        exact "limit_requests" => RATE_LIMIT;
        exact "limit_burst_rate" => RATE_LIMIT;
        exact "insufficient_quota" => RATE_LIMIT;
    }
}
