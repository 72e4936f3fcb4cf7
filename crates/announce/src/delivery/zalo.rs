//! Zalo: the Official Account API answers 200 with a negative number in `error`.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "developers.zalo.me/docs/official-account/phu-luc/ma-loi",
    codes: rows! { "zalo";
        AUTH {
            "-216", "-204", "-205", "-219", "-220", "-221", "-224",
        }
        GONE {
            "-213", "-217", "-227", "-230", "-232",
        }
        PAYLOAD {
            "-201", "-233", "-210",
        }
        LIMITED_BOT {
            "-211", "-32", "-218",
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
