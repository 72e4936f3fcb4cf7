//! The scripted model: deterministic answers from a YAML script, so that everything else can be run for real.
//!
//! A script has rules per agent; the first rule whose `when` is in the user's text applies. A rule may wait, call tools
//! one after the other, fail by class, and then reply. What it does next is a pure function of the rule and of the tool
//! results so far, so a run that is repeated takes the same course.

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
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolStep {
    pub(crate) name: String,
    /// `{message}` in a text is replaced as in a reply.
    #[serde(default)]
    pub(crate) arguments: Value,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FailStep {
    pub(crate) code: Code,
    /// How many calls of one run fail.
    #[serde(default = "once")]
    pub(crate) times: u32,
    #[serde(default)]
    pub(crate) retry_after_ms: Option<u64>,
}

fn once() -> u32 {
    1
}

/// What the model does now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) delay: Duration,
    pub(crate) does: Does,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Does {
    Reply(String),
    Call { name: String, arguments: Value },
    Fail { code: Code, retry_after: Option<Duration> },
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
            }
        }
        Ok(script)
    }

    /// The built-in script.
    pub(crate) fn built_in() -> anyhow::Result<Self> {
        Self::parse(BUILT_IN)
    }

    /// What `agent` does about `text`, when `results` of its tools are in and `failed` calls of this run have failed.
    pub(crate) fn next(&self, agent: &str, text: &str, results: &[String], failed: u32) -> Step {
        let rules = self.agents.get(agent).or_else(|| self.agents.get("*"));
        let rule = rules.into_iter().flatten().find(|rule| text.contains(&rule.when));
        let Some(rule) = rule else {
            return Step {
                delay: Duration::ZERO,
                does: Does::Reply(format!("({agent} has nothing to say to that)")),
            };
        };
        let delay = Duration::from_millis(rule.delay_ms);
        let fill = |template: &str| {
            let result = results.last().map(String::as_str).unwrap_or_default();
            template.replace("{result}", result).replace("{message}", text)
        };
        let does = match (&rule.fail, rule.tools.get(results.len())) {
            (Some(fail), _) if failed < fail.times => {
                Does::Fail { code: fail.code, retry_after: fail.retry_after_ms.map(Duration::from_millis) }
            }
            (_, Some(tool)) => {
                Does::Call { name: tool.name.clone(), arguments: fill_in(&tool.arguments, &fill) }
            }
            (_, None) => Does::Reply(fill(&rule.reply)),
        };
        Step { delay, does }
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

    #[test]
    fn the_built_in_script_is_readable_and_answers_everybody() {
        let script = Script::built_in().unwrap();
        let step = script.next("anybody", "hello", &[], 0);
        assert!(matches!(step.does, Does::Reply(reply) if reply.contains("hello")));
    }

    #[test]
    fn tools_come_before_the_reply_and_failures_before_both() {
        let script = Script::parse(
            "agents:\n  a:\n    - when: go\n      fail: { code: provider.overloaded }\n      tools:\n        - name: t\n          arguments: { x: 'got {message}' }\n      reply: 'done {result}'\n",
        )
        .unwrap();
        assert!(matches!(script.next("a", "go", &[], 0).does, Does::Fail { .. }));
        let Does::Call { name, arguments } = script.next("a", "go", &[], 1).does else { panic!() };
        assert_eq!((name.as_str(), arguments["x"].as_str()), ("t", Some("got go")));
        assert_eq!(script.next("a", "go", &["r".into()], 1).does, Does::Reply("done r".into()));
    }

    #[test]
    fn a_wrong_script_says_what_is_wrong() {
        assert!(Script::parse("agents: [").is_err());
        let error =
            Script::parse("agents:\n  a:\n    - fail: { code: coordination.lock_stale }\n").unwrap_err();
        assert!(error.to_string().contains("provider."), "{error}");
        assert!(Script::parse("agents:\n  a:\n    - repyl: x\n").is_err());
    }
}
