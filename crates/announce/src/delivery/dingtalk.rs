//! DingTalk: a number in `errcode` for custom robots, a dotted word in `code` for the newer interface.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "open.dingtalk.com/document/orgapp/custom-robots-send-group-messages; \
             open.dingtalk.com/document/orgapp/server-api-error-codes-1; \
             open.dingtalk.com/document/orgapp/the-robot-sends-a-group-message",
    codes: rows! { "dingtalk";
        AUTH {
            "300001", "300005", "310000", "400101", "400102", "400106", "token.notExisted", "bot.stopped",
            "invalidParameter.robotCode.notExsit", "invalidParameter.robotCode.invalid", "invalidParameter.token.invalid", "40001", "40014", "88", "33001",
            "400103", "40078", "41027", "43007", "InvalidAuthentication",
            "Forbidden.AccessDenied.AccessTokenPermissionDenied",
            "Forbidden.AccessDenied.IpNotInWhiteList", "robot.disabled", "param.robotCode.error",
        }
        GONE {
            "400013", "400104", "34001", "34007", "34013", "40003", "49011", "chat.not.exist", "invalidParameter.userIds.invalid",
            "resource.not.found", "staffId.notExisted", "33012", "60121", "group.disbanded", "invalid.openConversationId",
        }
        PAYLOAD {
            "400105", "34004", "34014", "34016", "40007", "40008", "40035", "43004", "430101", "430102", "430103", "430104", "40005",
            "460101", "400002", "460100", "invalidParameter", "miss.param", "90002", "template.not.existed", "template.stopped", "miss.openConversationId",
        }
        LIMITED_BOT {
            "130101", "302033", "410100", "90018", "90006", "90005", "90001", "Throttling",
            "Forbidden.AccessDenied.QpsLimitForApi", "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
            "send.too.fast",
        }
        TRANSIENT {
            "-1", "ServiceUnavailable",
        }
        BROKEN { "34015" }
        UNCERTAIN { "unknown.send.result" }
    },
    texts: rows! { "dingtalk";
        PAYLOAD {
            "keywords not in content", "错误描述:关键词不匹配", "错误描述：关键词不匹配",
        }
        LIMITED_BOT {
            "send too fast",
        }
        AUTH {
            "sign not match", "token is not exist", "robot not exist",
        }
        GONE {
            "chat not exist", "group is dismissed",
        }
    },
};
