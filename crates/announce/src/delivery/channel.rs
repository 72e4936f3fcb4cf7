//! The channels whose errors have a table.

/// A channel with a table of rules, or one of the two layers that every channel sits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Channel {
    Telegram,
    Discord,
    Slack,
    WhatsApp,
    Matrix,
    Signal,
    Teams,
    Feishu,
    Line,
    /// What agent gateways say about their own delivery, whatever the channel.
    Gateway,
    /// What operating systems and HTTP clients say.
    Transport,
}

impl Channel {
    pub(super) const ALL: [Self; 11] = [
        Self::Telegram,
        Self::Discord,
        Self::Slack,
        Self::WhatsApp,
        Self::Matrix,
        Self::Signal,
        Self::Teams,
        Self::Feishu,
        Self::Line,
        Self::Gateway,
        Self::Transport,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Telegram => "telegram",
            Self::Discord => "discord",
            Self::Slack => "slack",
            Self::WhatsApp => "whatsapp",
            Self::Matrix => "matrix",
            Self::Signal => "signal",
            Self::Teams => "teams",
            Self::Feishu => "feishu",
            Self::Line => "line",
            Self::Gateway => "gateway",
            Self::Transport => "transport",
        }
    }

    /// The channel that a name means; names are written with suffixes (`whatsapp_cloud`, `slack-bot`, `msteams`).
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let name = name.strip_prefix("ms").or_else(|| name.strip_prefix("microsoft-")).unwrap_or(&name);
        // One service under two names.
        let name = if name == "lark" { "feishu" } else { name };
        Self::ALL.into_iter().find(|channel| {
            let rest = name.strip_prefix(channel.as_str());
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
        })
    }
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
            ("discordian", None),
            ("webchat", None),
            ("", None),
        ] {
            assert_eq!(Channel::named(name), channel, "{name}");
        }
    }
}
