//! Zhipu (bigmodel.cn) and Z.ai: business codes in the body, beneath a status that often says only 429.
//!
//! 1305 changed its meaning over time from a traffic limit to a crowded model, so its message decides.

use super::{outcome::*, vendor_rules};
use crate::verdict::Scope;

vendor_rules! {
    RULES: Zhipu "zhipu"
    from "https://docs.bigmodel.cn/cn/api/api-code" {
        broad "500" => SERVER_ERROR;
        exact "1000" => AUTH;
        exact "1001" => AUTH;
        exact "1002" => AUTH;
        exact "1003" => AUTH;
        exact "1004" => AUTH;
        exact "1100" => AUTH;
        exact "1110" => AUTH_PERMANENT;
        exact "1111" => AUTH_PERMANENT;
        exact "1112" => AUTH_PERMANENT;
        exact "1113" => BILLING;
        exact "1120" => SERVER_ERROR;
        exact "1121" => AUTH_PERMANENT;
        exact "1200" => SERVER_ERROR;
        exact "1210" => FORMAT;
        exact "1211" => MODEL_NOT_FOUND;
        exact "1212" => FORMAT.of_this_model();
        exact "1213" => FORMAT;
        exact "1214" => FORMAT;
        exact "1215" => FORMAT;
        exact "1220" => AUTH;
        exact "1221" => MODEL_NOT_FOUND;
        exact "1222" => MODEL_NOT_FOUND;
        exact "1230" => SERVER_ERROR;
        exact "1231" => FORMAT;
        exact "1234" => SERVER_ERROR;
        exact "1261" => OVERFLOW;
        exact "1300" => CONTENT_POLICY;
        exact "1301" => CONTENT_POLICY;
        exact "1302" => RATE_LIMIT;
        exact "1303" => RATE_LIMIT;
        exact "1304" => RATE_LIMIT;
        broad "1305" => RATE_LIMIT.on(Scope::Model);
        exact "1308" => RATE_LIMIT;
        exact "1309" => BILLING;
        exact "1310" => RATE_LIMIT;
        exact "1311" => BILLING.on(Scope::Model);
        exact "1312" => OVERLOADED;
        exact "1313" => RATE_LIMIT;
    }
    from "https://docs.z.ai/api-reference/api-code" {
        exact "1316" => RATE_LIMIT;
    }
    from "https://docs.bigmodel.cn/cn/faq" {
        broad "434" => AUTH;
        broad "435" => TOO_LARGE;
    }
}
