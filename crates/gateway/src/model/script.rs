//! The scripted model: deterministic answers from a YAML script, so that everything else can be run for real.
//!
//! A script has rules per agent; the first rule whose `when` is in the user's text applies. A rule may wait, call tools
//! one after the other or several at once, fail by class (before its first word or after some), and then reply, in one
//! piece or in chunks. What it does next is a pure function of the rule, of the tool results so far and of how often the
//! rule has failed, so a run that is repeated takes the same course.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use moorline_taxonomy::{Code, Domain};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The script that is used when none is given: it answers, and passes tasks on when asked to.
const BUILT_IN: &str = include_str!("script.yaml");

/// Rules for every agent; `*` is for agents that have none of their own.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    pub(crate) agents: BTreeMap<String, Vec<Rule>>,
}

/// What the model does for texts that have `when` in them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Rule {
    /// A part of the user's text; empty matches every text.
    pub(crate) when: String,
    /// How long each call takes.
    pub(crate) delay_ms: u64,
    /// Tools, called one per model call, in order.
    pub(crate) tools: Vec<ToolStep>,
    /// How calls fail before they succeed.
    pub(crate) fail: Option<FailStep>,
    /// The reply; `{message}` is the user's text, `{result}` the last tool result.
    pub(crate) reply: String,
    /// The reply is spoken in pieces; without this it comes at once.
    pub(crate) stream: Option<StreamStep>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ToolStep {
    pub(crate) name: String,
    /// `{message}` in a text is replaced as in a reply.
    #[serde(default)]
    pub(crate) arguments: Value,
    /// Called in the same reply as the tool before it.
    #[serde(default)]
    pub(crate) with_previous: bool,
}

/// How a reply is spoken.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StreamStep {
    /// How many pieces.
    pub(crate) chunks: usize,
    /// The pause before each piece.
    #[serde(default)]
    pub(crate) delay_ms: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FailStep {
    pub(crate) code: Code,
    /// How many calls fail, of all that the rule applies to, before one succeeds.
    #[serde(default = "once")]
    pub(crate) times: u32,
    #[serde(default)]
    pub(crate) retry_after_ms: Option<u64>,
    /// How many pieces of the streamed reply are heard before it fails.
    #[serde(default)]
    pub(crate) after_chunks: usize,
}

fn once() -> u32 {
    1
}

/// What the model does now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) delay: Duration,
    /// What is spoken first, in pieces, with this pause before each.
    pub(crate) spoken: Vec<String>,
    pub(crate) pause: Duration,
    pub(crate) does: Does,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Does {
    Reply(String),
    Call(Vec<Called>),
    Fail { code: Code, retry_after: Option<Duration> },
}

/// A tool that is called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Called {
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

impl Script {
    /// Reads a script.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let script: Self = serde_saphyr::from_str(text).context("the script is not readable")?;
        for rule in script.agents.values().flatten() {
            if let Some(fail) = &rule.fail {
                let plausible = matches!(fail.code.domain(), Domain::Provider | Domain::Request);
                anyhow::ensure!(
                    plausible,
                    "a model cannot fail with {}: use a provider.* or request.* code",
                    fail.code
                );
                let pieces = rule.stream.map_or(0, |stream| stream.chunks);
                anyhow::ensure!(
                    fail.after_chunks <= pieces,
                    "afterChunks is {}: the reply has {pieces} chunks (stream: {{ chunks: N }})",
                    fail.after_chunks
                );
            }
            anyhow::ensure!(
                rule.tools.first().is_none_or(|tool| !tool.with_previous),
                "withPrevious is on the first tool of a rule: there is none before it"
            );
        }
        Ok(script)
    }

    /// The built-in script.
    pub(crate) fn built_in() -> anyhow::Result<Self> {
        Self::parse(BUILT_IN)
    }

    /// The first rule of `agent` that applies to `text`, and its place.
    pub(crate) fn rule(&self, agent: &str, text: &str) -> Option<(Place<'_>, &Rule)> {
        let (agent, rules) = self.agents.get_key_value(agent).or_else(|| self.agents.get_key_value("*"))?;
        let (number, rule) = rules.iter().enumerate().find(|(_, rule)| text.contains(&rule.when))?;
        Some(((agent, number), rule))
    }
}

/// Where a rule stands: its agent, and its number among that one's rules.
pub(crate) type Place<'a> = (&'a str, usize);

impl Step {
    /// What `agent` does about a text that no rule is for.
    pub(crate) fn without_rule(agent: &str) -> Self {
        Self {
            delay: Duration::ZERO,
            spoken: Vec::new(),
            pause: Duration::ZERO,
            does: Does::Reply(format!("({agent} has nothing to say to that)")),
        }
    }
}

impl Rule {
    /// What is done about `text`, when `results` of its tools are in and the rule has failed `failed` times.
    pub(crate) fn next(&self, text: &str, results: &[String], failed: u32) -> Step {
        let fill = |template: &str| {
            let result = results.last().map(String::as_str).unwrap_or_default();
            template.replace("{result}", result).replace("{message}", text)
        };
        let called = self.called_after(results.len(), &fill);
        let (spoken, does) = match &self.fail {
            Some(fail) if failed < fail.times => {
                let mut spoken = self.pieces(&fill(&self.reply));
                spoken.truncate(fail.after_chunks);
                let retry_after = fail.retry_after_ms.map(Duration::from_millis);
                (spoken, Does::Fail { code: fail.code, retry_after })
            }
            Some(_) | None if !called.is_empty() => (Vec::new(), Does::Call(called)),
            Some(_) | None => {
                let reply = fill(&self.reply);
                (self.pieces(&reply), Does::Reply(reply))
            }
        };
        let pause = Duration::from_millis(self.stream.map_or(0, |stream| stream.delay_ms));
        Step { delay: Duration::from_millis(self.delay_ms), spoken, pause, does }
    }

    /// The tools that are called when `done` results are in.
    fn called_after(&self, done: usize, fill: &impl Fn(&str) -> String) -> Vec<Called> {
        let left = self.tools.get(done..).unwrap_or_default();
        let together = left.iter().skip(1).take_while(|tool| tool.with_previous);
        left.first()
            .into_iter()
            .chain(together)
            .map(|tool| Called { name: tool.name.clone(), arguments: fill_in(&tool.arguments, fill) })
            .collect()
    }

    /// The reply as it is spoken; nothing where it is not streamed.
    fn pieces(&self, reply: &str) -> Vec<String> {
        let Some(stream) = self.stream else { return Vec::new() };
        let characters: Vec<char> = reply.chars().collect();
        let length = characters.len().div_ceil(stream.chunks.max(1)).max(1);
        characters.chunks(length).map(|piece| piece.iter().collect()).collect()
    }
}

fn fill_in(value: &Value, fill: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text)),
        Value::Array(items) => items.iter().map(|item| fill_in(item, fill)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), fill_in(value, fill))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(script: &Script, agent: &str, text: &str, results: &[String], failed: u32) -> Step {
        let (_, rule) = script.rule(agent, text).unwrap();
        rule.next(text, results, failed)
    }

    #[test]
    fn the_built_in_script_is_readable_and_answers_everybody() {
        let script = Script::built_in().unwrap();
        let step = next(&script, "anybody", "hello", &[], 0);
        assert!(matches!(step.does, Does::Reply(reply) if reply.contains("hello")));
    }

    #[test]
    fn tools_come_before_the_reply_and_failures_before_both() {
        let script = Script::parse(
            "agents:\n  a:\n    - when: go\n      fail: { code: provider.overloaded }\n      tools:\n        - name: t\n          arguments: { x: 'got {message}' }\n      reply: 'done {result}'\n",
        )
        .unwrap();
        assert!(matches!(next(&script, "a", "go", &[], 0).does, Does::Fail { .. }));
        let Does::Call(called) = next(&script, "a", "go", &[], 1).does else { panic!() };
        assert_eq!((called[0].name.as_str(), called[0].arguments["x"].as_str()), ("t", Some("got go")));
        assert_eq!(next(&script, "a", "go", &["r".into()], 1).does, Does::Reply("done r".into()));
    }

    #[test]
    fn tools_of_one_reply_are_called_together() {
        let script = Script::parse(
            "agents:\n  a:\n    - tools: [{ name: x }, { name: y, withPrevious: true }, { name: z }]\n      reply: done\n",
        )
        .unwrap();
        let names = |results: &[String]| match next(&script, "a", "", results, 0).does {
            Does::Call(called) => called.into_iter().map(|tool| tool.name).collect(),
            Does::Reply(text) => vec![text],
            Does::Fail { .. } => Vec::new(),
        };
        assert_eq!(names(&[]), ["x", "y"]);
        assert_eq!(names(&["1".into(), "2".into()]), ["z"]);
        assert_eq!(names(&["1".into(), "2".into(), "3".into()]), ["done"]);
    }

    #[test]
    fn a_streamed_reply_is_its_pieces_and_may_fail_between_them() {
        let script = Script::parse(
            "agents:\n  a:\n    - stream: { chunks: 3, delayMs: 7 }\n      fail: { code: provider.timeout, afterChunks: 2 }\n      reply: 'größer als'\n",
        )
        .unwrap();
        let broken = next(&script, "a", "", &[], 0);
        assert_eq!(broken.spoken, ["größ", "er a"]);
        assert_eq!(broken.pause, Duration::from_millis(7));
        assert!(matches!(broken.does, Does::Fail { .. }));
        let whole = next(&script, "a", "", &[], 1);
        assert_eq!(whole.spoken.concat(), "größer als");
        assert_eq!(whole.does, Does::Reply("größer als".into()));
    }

    #[test]
    fn a_wrong_script_says_what_is_wrong() {
        assert!(Script::parse("agents: [").is_err());
        let error =
            Script::parse("agents:\n  a:\n    - fail: { code: coordination.lock_stale }\n").unwrap_err();
        assert!(error.to_string().contains("provider."), "{error}");
        assert!(Script::parse("agents:\n  a:\n    - repyl: x\n").is_err());
        let late = "agents:\n  a:\n    - fail: { code: provider.timeout, afterChunks: 1 }\n";
        assert!(Script::parse(late).unwrap_err().to_string().contains("0 chunks"));
        let alone = "agents:\n  a:\n    - tools: [{ name: x, withPrevious: true }]\n";
        assert!(Script::parse(alone).unwrap_err().to_string().contains("withPrevious"));
    }
}
