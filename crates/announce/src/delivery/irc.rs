//! IRC: numerics, as a number in `code` or `numeric` or by their names, and the free text of ERROR and NOTICE.

use super::rules::{Table, rows};

pub(super) const TABLE: Table = Table {
    source: "rfc-editor.org/rfc/rfc2812#section-5; modern.ircdocs.horse/#numerics; ircv3.net/specs/extensions/sasl-3.1",
    codes: rows! { "irc";
        GONE {
            "401", "402", "403", "404", "405", "407", "411", "441", "442", "471", "473", "474", "475",
            "476", "477", "479", "482", "486", "489", "494", "524", "531", "716", "ERR_NOSUCHNICK",
            "ERR_NOSUCHSERVER", "ERR_NOSUCHCHANNEL", "ERR_CANNOTSENDTOCHAN", "ERR_TOOMANYCHANNELS",
            "ERR_TOOMANYTARGETS", "ERR_NORECIPIENT", "ERR_NOTONCHANNEL", "ERR_CHANNELISFULL",
            "ERR_INVITEONLYCHAN", "ERR_BANNEDFROMCHAN", "ERR_BADCHANNELKEY", "ERR_BADCHANMASK",
            "ERR_NEEDREGGEDNICK", "ERR_CHANOPRIVSNEEDED", "ERR_CANTSENDTOUSER", "ERR_NONONREG",
            "no_such_nick", "no_such_channel", "cannot_send_to_channel", "invite_only_channel",
            "banned_from_channel", "bad_channel_key", "channel_is_full",
        }
        AUTH {
            "451", "464", "465", "466", "481", "902", "904", "905", "906", "908", "ERR_NOTREGISTERED",
            "ERR_PASSWDMISMATCH", "ERR_YOUREBANNEDCREEP", "ERR_NOPRIVILEGES", "ERR_NICKLOCKED",
            "ERR_SASLFAIL", "ERR_SASLTOOLONG", "ERR_SASLABORTED", "password_mismatch", "sasl_fail",
        }
        PAYLOAD {
            "409", "412", "413", "414", "415", "417", "421", "461", "ERR_NOTEXTTOSEND",
            "ERR_NOTOPLEVEL", "ERR_WILDTOPLEVEL", "ERR_INPUTTOOLONG", "ERR_UNKNOWNCOMMAND",
            "ERR_NEEDMOREPARAMS",
        }
        LIMITED_BOT {
            "263", "439", "RPL_TRYAGAIN", "ERR_TARGETTOOFAST", "target_change_too_fast",
        }
        TRANSIENT {
            "433", "436", "437", "ERR_NICKNAMEINUSE", "ERR_NICKCOLLISION", "ERR_UNAVAILRESOURCE",
        }
    },
    texts: rows! { "irc";
        GONE {
            "no such nick", "no such channel", "cannot send to channel", "cannot send to nick",
            "cannot send to user", "you're not on that channel", "cannot join channel",
            "you need to identify", "you need a registered nick", "you need voice",
        }
        AUTH {
            "sasl authentication failed", "password incorrect", "you are banned from this server",
            "k-lined", "g-lined", "you have not registered", "sasl access only",
        }
        LIMITED_BOT {
            "excess flood", "target change too fast", "throttled", "reconnecting too fast",
            "trying to reconnect too fast", "message throttled",
        }
        PAYLOAD {
            "no text to send", "input line was too long",
        }
        CUT {
            "ping timeout", "connection timed out",
        }
    },
};
