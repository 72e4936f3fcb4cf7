//! The channels whose errors have a table.

/// Writes the channels and the names that they go by.
macro_rules! channels {
    ($($(#[$doc:meta])* $channel:ident $name:literal;)+) => {
        /// A channel with a table of rules, or one of the layers that every channel sits on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(super) enum Channel {
            $($(#[$doc])* $channel,)+
        }

        impl Channel {
            pub(super) const ALL: &'static [Self] = &[$(Self::$channel),+];

            pub(super) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$channel => $name,)+
                }
            }

            /// The channel of a name that is written as it is here: the commonest case, in one comparison.
            fn spelled(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$channel),)+
                    _ => None,
                }
            }
        }
    };
}

channels! {
    Telegram "telegram";
    Discord "discord";
    Slack "slack";
    WhatsApp "whatsapp";
    Matrix "matrix";
    Signal "signal";
    Teams "teams";
    Feishu "feishu";
    Line "line";
    GoogleChat "googlechat";
    Mattermost "mattermost";
    RocketChat "rocketchat";
    Zulip "zulip";
    Webex "webex";
    Nextcloud "nextcloud";
    Messenger "messenger";
    Viber "viber";
    Zalo "zalo";
    DingTalk "dingtalk";
    WeCom "wecom";
    Twitch "twitch";
    Irc "irc";
    Xmpp "xmpp";
    Nostr "nostr";
    BlueBubbles "bluebubbles";
    Email "email";
    Sms "sms";
    Push "push";
    Webhook "webhook";
    /// What agent gateways say about their own delivery, whatever the channel.
    Gateway "gateway";
    /// What many channels say in the same words.
    Common "common";
    /// What operating systems and HTTP clients say.
    Transport "transport";
}

impl Channel {
    /// Other names of the same service.
    const ALIASES: &'static [(&'static str, Self)] = &[
        ("baileys", Self::WhatsApp),
        ("wa", Self::WhatsApp),
        ("signalcli", Self::Signal),
        ("msteams", Self::Teams),
        ("microsoft", Self::Teams),
        ("lark", Self::Feishu),
        ("google", Self::GoogleChat),
        ("gchat", Self::GoogleChat),
        ("instagram", Self::Messenger),
        ("facebook", Self::Messenger),
        ("wechatwork", Self::WeCom),
        ("wxwork", Self::WeCom),
        ("imessage", Self::BlueBubbles),
        ("imsg", Self::BlueBubbles),
        ("smtp", Self::Email),
        ("mail", Self::Email),
        ("gmail", Self::Email),
        ("twilio", Self::Sms),
        ("vonage", Self::Sms),
        ("nexmo", Self::Sms),
        ("fcm", Self::Push),
        ("apns", Self::Push),
        ("webpush", Self::Push),
        ("jabber", Self::Xmpp),
    ];

    /// The channel that a name means; names are written with suffixes (`whatsapp_cloud`, `slack-bot`, `msteams`) and
    /// with marks inside (`google-chat`, `ROCKET.CHAT`).
    pub(super) fn named(name: &str) -> Option<Self> {
        if let Some(channel) = Self::spelled(name).filter(|channel| *channel != Self::Common) {
            return Some(channel);
        }
        let name = name.as_bytes();
        let first = name.first()?.to_ascii_lowercase();
        let is = |known: &str| known.as_bytes().first() == Some(&first) && begins_like(name, known);
        let named =
            Self::ALL.iter().copied().find(|channel| *channel != Self::Common && is(channel.as_str()));
        named.or_else(|| Self::ALIASES.iter().find(|(known, _)| is(known)).map(|(_, channel)| *channel))
    }

    /// What every channel sits on.
    pub(super) const fn is_layer(self) -> bool {
        matches!(self, Self::Gateway | Self::Common | Self::Transport)
    }

    /// Whether its texts are known without its name: they are long enough to be nobody else's.
    pub(super) const fn is_known_by_text(self) -> bool {
        matches!(
            self,
            Self::Telegram
                | Self::Discord
                | Self::Slack
                | Self::WhatsApp
                | Self::Matrix
                | Self::Signal
                | Self::Teams
                | Self::Feishu
                | Self::Line
                | Self::GoogleChat
                | Self::Mattermost
                | Self::Messenger
                | Self::BlueBubbles
        )
    }

    /// Whether its codes are words that are known where they stand in a text.
    pub(super) const fn spells_codes(self) -> bool {
        !matches!(self, Self::Gateway | Self::Common)
    }
}

/// Whether `name` is `known`, ignoring case and marks inside, alone or before a suffix.
fn begins_like(name: &[u8], known: &str) -> bool {
    let mut letters = name.iter().enumerate().filter(|(_, byte)| byte.is_ascii_alphanumeric());
    let mut end = 0;
    for wanted in known.bytes() {
        match letters.next() {
            Some((at, byte)) if byte.to_ascii_lowercase() == wanted => end = at + 1,
            Some(_) | None => return false,
        }
    }
    !name.get(end).is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_suffixes_are_known_and_others_are_not() {
        for (name, channel) in [
            ("telegram", Some(Channel::Telegram)),
            ("Slack-Bot", Some(Channel::Slack)),
            ("whatsapp_cloud", Some(Channel::WhatsApp)),
            ("msteams", Some(Channel::Teams)),
            ("ms-teams", Some(Channel::Teams)),
            ("microsoft-teams", Some(Channel::Teams)),
            ("google-chat", Some(Channel::GoogleChat)),
            ("Google Chat", Some(Channel::GoogleChat)),
            ("rocket.chat", Some(Channel::RocketChat)),
            ("imessage", Some(Channel::BlueBubbles)),
            ("smtp", Some(Channel::Email)),
            ("discordian", None),
            ("webchat", None),
            ("common", None),
            ("", None),
        ] {
            assert_eq!(Channel::named(name), channel, "{name}");
        }
    }
}
