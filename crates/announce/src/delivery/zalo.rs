//! Zalo: the Official Account API answers 200 with a negative number in `error`.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "developers.zalo.me/docs/official-account/phu-luc/ma-loi; \
             zalo.cloud/zns/guidelines/handle-error-code",
    codes: rows! { "zalo";
        AUTH {
            "-216", "-204", "-205", "-219", "-220", "-221", "-224",
            "-101", "-102", "-103", "-104", "-105", "-115", "-117", "-120", "-124", "-125", "-126", "-135", "-137", "-138",
            "-140", "-145",
        }
        GONE {
            "-213", "-217", "-227", "-230", "-232", "-108", "-110", "-114", "-118", "-119", "-139", "-141",
        }
        PAYLOAD {
            "-201", "-233", "-210", "-106", "-107", "-109", "-111", "-112", "-113", "-116", "-121", "-122", "-130", "-131",
            "-132",
        }
        LIMITED_BOT {
            "-211", "-32", "-218", "-144", "-147",
        }
    },
    texts: rows! { "zalo";
        GONE {
            "user has not followed", "user is blocked", "user not exist", "user has blocked",
        }
        LIMITED_BOT {
            "quota", "exceed request", "out of quota",
        }
        AUTH {
            "invalid access token", "access token is invalid", "access token has expired",
        }
    },
};
