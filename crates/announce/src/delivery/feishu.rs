//! Feishu and Lark: a number in `code` and an English text in `msg`.
//!
//! 230001 is any wrong parameter, and the receiver's id is one of them: the text after `ext=` tells.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "open.feishu.cn/document/server-docs/im-v1/message/create#error-codes; \
             open.feishu.cn/document/server-docs/api-call-guide/generic-error-code; github.com/larksuite/openclaw-lark/issues/149",
    codes: rows! { "feishu";
        GONE {
            "230002": "Bot/User can NOT be out of the chat", "230013": "Bot has NO availability to this user",
            "230018": "These operations are NOT allowed at current group settings",
            "230019": "The topic does NOT exist", "230029": "User has resigned", "230034": "The receive_id is invalid",
            "230035": "Send Message Permission deny", "230038": "Cross tenant p2p chat operate forbid",
            "230053": "The user has stopped the bot", "232006": "Your request specifies a chat_id which is invalid",
            "232011": "Operator can NOT be out of the chat", "99992351", "99992352", "99992353", "99992360", "99992361", "99992362",
            "99992364", "232009": "Your request specifies a chat which has already been dissolved",
        }
        AUTH {
            "230006": "Bot ability is not activated", "230027": "Lack of necessary permissions",
            "99991661": "Missing access token", "99991663": "Invalid access token",
            "99991664": "Invalid app_access_token", "99991668": "Invalid user_access_token",
            "99991671": "Invalid access token", "99991672": "Access denied", "99991679": "Unauthorized",
            "19001": "param invalid: incoming webhook access token invalid", "19021": "sign match fail",
            "19022": "Ip Not Allowed", "10003": "invalid app_secret", "10012", "10013", "10014": "app secret invalid",
            "99991401", "99991543", "99991662", "99991665", "99991670", "99991673", "99991676", "99991677", "232025",
        }
        PAYLOAD {
            "230011": "The message was withdrawn", "230022": "The content of the message contains sensitive information",
            "230025": "The length of the message content reaches its limit",
            "230028": "The messages do NOT pass the audit", "230054": "This operation is not supported",
            "230055": "The type of file upload does not match", "230099": "Failed to create card content",
            "231003": "The message is not found", "19024": "Key Words Not Found",
            "230001": "Your request contains an invalid request parameter", "230017", "230110", "234001", "234006",
            "99992354", "99992402": "field validation failed", "99991200",
        }
        LIMITED_CHAT { "230020": "This operation triggers the frequency limit" }
        LIMITED_BOT {
            "99991400": "request trigger frequency limit", "11232": "create message trigger system frequency limit",
            "11233": "create message trigger chat frequency limit", "11247": "create message trigger tenant frequency limit",
        }
        PENDING { "230049": "The message is being sent" }
        BROKEN { "1500": "internal error", "2200": "Internal Error", "1000004", "1000005" }
    },
    texts: &[],
};

/// What 230001 says when the receiver is the wrong parameter.
pub(super) const RECEIVER_WORDS: [&str; 2] = ["invalid receive_id", "receive_id invalid"];
