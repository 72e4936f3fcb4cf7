//! Baidu Qianfan: the words of the current interface, and the numbers of the older one.

use super::{outcome::*, vendor_rules};

vendor_rules! {
    RULES: Baidu "baidu"
    from "https://cloud.baidu.com/doc/qianfan-api/s/rmwbl43x7" {
        exact "malformed_json" => FORMAT;
        exact "invalid_messages" => FORMAT;
        exact "invalid_image_generation_prompt" => FORMAT;
        exact "invalid_image_generation_refer_image" => FORMAT;
        exact "invalid_image_url" => FORMAT;
        exact "invalid_plugin_argument" => FORMAT;
        exact "method_not_supported" => FORMAT;
        broad "invalid_argument" => FORMAT;
        broad "invalid_model" => MODEL_NOT_FOUND;
        exact "model_offline" => MODEL_NOT_FOUND;
        exact "characters_too_long" => OVERFLOW;
        exact "tokens_too_long" => OVERFLOW;
        exact "invalid_iam_token" => AUTH;
        exact "invalid_appid" => AUTH;
        exact "no_parameter_permission" => AUTH;
        broad "access_denied" => AUTH;
        exact "account_overdue" => BILLING;
        exact "rate_limit_exceeded" => RATE_LIMIT;
        exact "rpm_rate_limit_exceeded" => RATE_LIMIT;
        exact "tpm_rate_limit_exceeded" => RATE_LIMIT;
        exact "input_tpm_rate_limit_exceeded" => RATE_LIMIT;
        exact "output_tpm_rate_limit_exceeded" => RATE_LIMIT;
        exact "user_rate_limit_exceeded" => RATE_LIMIT;
        exact "preemptible_rate_limit_exceeded" => RATE_LIMIT;
        exact "cluster_rate_limit_exceeded" => OVERLOADED;
        exact "cluster_rpm_rate_limit_exceeded" => OVERLOADED;
        exact "cluster_tpm_rate_limit_exceeded" => OVERLOADED;
        exact "Offline_batch_reasoning_refused" => OVERLOADED;
        exact "dispatch_internal_error" => SERVER_ERROR;
        exact "image_generation_interal_error" => SERVER_ERROR;
        exact "internal_error" => SERVER_ERROR;
        exact "image_url_unsafe" => CONTENT_POLICY;
        exact "system_unsafe" => CONTENT_POLICY;
        exact "user_setting_unsafe" => CONTENT_POLICY;
        exact "functions_unsafe" => CONTENT_POLICY;
        broad "unsafe_request" => CONTENT_POLICY;
    }
    from "https://cloud.baidu.com/doc/qianfan-api/s/Om9b4yj3w" {
        exact "coding_plan_rate_limit_exceeded" => RATE_LIMIT;
        exact "coding_plan_cluster_rate_limited" => OVERLOADED;
        exact "coding_plan_subscription_expired" => BILLING;
    }
    from "https://ai.baidu.com/ai-doc/WENXINWORKSHOP/tlmyncueh" {
        exact "1" => SERVER_ERROR;
        exact "2" => OVERLOADED;
        exact "3" => FORMAT;
        exact "4" => RATE_LIMIT;
        exact "6" => AUTH;
        exact "13" => AUTH;
        exact "14" => AUTH;
        exact "15" => SERVER_ERROR;
        exact "17" => RATE_LIMIT;
        exact "18" => RATE_LIMIT;
        exact "19" => RATE_LIMIT;
        exact "100" => AUTH;
        exact "110" => AUTH;
        exact "111" => AUTH;
        exact "336000" => SERVER_ERROR;
        exact "336001" => FORMAT;
        exact "336002" => FORMAT;
        exact "336003" => FORMAT;
        exact "336004" => AUTH;
        exact "336005" => AUTH;
        exact "336006" => FORMAT;
        exact "336007" => OVERFLOW;
        exact "336100" => OVERLOADED;
        exact "336101" => FORMAT;
        exact "336103" => OVERFLOW;
        exact "336104" => FORMAT;
        exact "336501" => RATE_LIMIT;
        exact "336502" => RATE_LIMIT;
        exact "336503" => RATE_LIMIT;
    }
}
