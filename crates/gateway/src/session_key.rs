//! Session keys, `agent:<agent>:<rest>`, and the one place where a key becomes a path.
//!
//! A key is data from outside. It is checked against a small alphabet and turned into a file name by a rule that cannot
//! leave its folder: no separator, no leading dot, bounded length; `:` becomes `~`, which no key contains, so two keys
//! never share a file.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure};

/// A checked session key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct SessionKey(String);

/// Longest key: with its suffixes it must fit a file name.
const MAX_LEN: usize = 160;

impl SessionKey {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The agent's name.
    pub(crate) fn agent(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// The transcript's path below the sessions folder.
    pub(crate) fn file(&self) -> PathBuf {
        let rest = self.0.splitn(3, ':').nth(2).unwrap_or_default();
        PathBuf::from(self.agent()).join(format!("{}.jsonl", rest.replace(':', "~")))
    }

    /// The key whose transcript has this path below the sessions folder.
    pub(crate) fn of_file(agent: &str, file_name: &str) -> Option<Self> {
        let rest = file_name.strip_suffix(".jsonl")?;
        format!("agent:{agent}:{}", rest.replace('~', ":")).parse().ok()
    }
}

impl schemars::JsonSchema for SessionKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SessionKey".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "agent:<agent>:<rest>",
            "maxLength": MAX_LEN,
            "pattern": "^agent(:[A-Za-z0-9][A-Za-z0-9._@+-]*){2,}$",
        })
    }
}

impl FromStr for SessionKey {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |problem: &str| {
            let shown: String = text.chars().take(64).collect();
            Failure::new(
                Exit::BadInput,
                moorline_taxonomy::Request::Format,
                format!(
                    "{shown:?} is not a session key: {problem}; keys are written agent:<agent>:<rest>, as in agent:main:chat"
                ),
            )
        };
        if text.len() > MAX_LEN {
            return Err(wrong("it is longer than 160 bytes"));
        }
        let parts: Vec<&str> = text.split(':').collect();
        if parts.len() < 3 || parts[0] != "agent" {
            return Err(wrong("it does not have the form"));
        }
        for part in &parts[1..] {
            let first_ok = part.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
            let rest_ok = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@+".contains(&byte));
            if !first_ok || !rest_ok {
                return Err(wrong(
                    "a part is empty, starts with a sign, or has a character outside A-Z a-z 0-9 . _ - @ +",
                ));
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for SessionKey {
    type Error = Failure;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SessionKey> for String {
    fn from(key: SessionKey) -> Self {
        key.0
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_files_map_both_ways() {
        for key in ["agent:main:chat", "agent:a-1:subagent:01HZ", "agent:A:x.y@z+1"] {
            let parsed: SessionKey = key.parse().unwrap();
            let file = parsed.file();
            let name = file.file_name().unwrap().to_str().unwrap();
            assert_eq!(SessionKey::of_file(parsed.agent(), name), Some(parsed));
        }
    }

    #[test]
    fn no_key_leaves_its_folder() {
        for key in [
            "",
            "agent:main",
            "agent::x",
            "agent:main:",
            "agent:..:x",
            "agent:main:../x",
            "agent:main:a/b",
            "agent:main:.hidden",
            "agent:main:~x",
            "agent:main:a\0b",
            "agent:main:a b",
            "main:agent:x",
            "agent:main:-rf",
            "agent:ma in:x",
            "agent:main:ä",
        ] {
            assert!(key.parse::<SessionKey>().is_err(), "{key:?}");
        }
        assert!(format!("agent:main:{}", "x".repeat(200)).parse::<SessionKey>().is_err());
    }
}
