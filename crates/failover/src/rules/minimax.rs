//! MiniMax: numbers in `base_resp.status_code`, beneath HTTP 200.

use super::{outcome::*, vendor_rules};

vendor_rules! {
    RULES: MiniMax "minimax"
    from "https://platform.minimax.io/docs/api-reference/errorcode.md" {
        exact "1000" => SERVER_ERROR;
        exact "1001" => TIMEOUT;
        exact "1002" => RATE_LIMIT;
        exact "1004" => AUTH;
        exact "1008" => BILLING;
        exact "1013" => SERVER_ERROR;
        exact "1024" => SERVER_ERROR;
        exact "1026" => CONTENT_POLICY;
        exact "1027" => CONTENT_POLICY;
        exact "1033" => SERVER_ERROR;
        exact "1039" => RATE_LIMIT;
        exact "1041" => RATE_LIMIT;
        exact "1042" => FORMAT;
        broad "2013" => FORMAT;
        exact "2042" => AUTH;
        exact "2045" => RATE_LIMIT;
        exact "2048" => TOO_LARGE;
        exact "2049" => AUTH;
        exact "2056" => RATE_LIMIT;
        exact "20132" => FORMAT;
    }
}
