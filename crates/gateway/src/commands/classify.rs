//! `moorline classify`: foreign errors in, codes and verdicts out.
//!
//! One line out for each line in, whatever the line is. The classes come from the libraries; here they are only composed:
//! a local error in any wrapping first, then what a provider or a channel said.

use std::{
    io::{BufRead, IsTerminal, Read, Write},
    time::Duration,
};

use anyhow::Context;
use moorline_announce::{DeliveryEvidence, DeliveryVerdict, classify_delivery};
use moorline_failover::{Surface, explain, rules};
use moorline_taxonomy::{AnnounceVerdict, Code, Domain, Local, foreign, policy, redact};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    cli::{ClassifyArgs, ClassifySurface},
    clock,
    exit::Exit,
};

/// Bytes of one line that are read; an error is not larger, and what is cut is not JSON any more.
const MAX_LINE: u64 = 4 * 1024 * 1024;

/// Levels of nesting that are read: an error whose causes go deeper is not one.
const MAX_DEPTH: usize = 1024;
/// Reading a level takes a few kilobytes of stack in a debug build. Reserved, and used only by what is that deep.
const STACK: usize = 64 * 1024 * 1024;

/// Wrapped errors may be nested deeper than the main thread's stack allows to read.
#[allow(clippy::disallowed_methods, reason = "a thread for its stack, joined at once")]
pub(crate) fn run(args: &ClassifyArgs) -> anyhow::Result<Exit> {
    std::thread::scope(|scope| {
        let reader =
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || classify_all(args))?;
        reader.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the reader ended by a defect of this program")))
    })
}

fn classify_all(args: &ClassifyArgs) -> anyhow::Result<Exit> {
    let human = !args.json && std::io::stdout().is_terminal();
    let mut input = std::io::stdin().lock();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut exit = Exit::Ok;
    loop {
        let mut line = Vec::new();
        let read = Read::by_ref(&mut input)
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .context("cannot read standard input")?;
        if read == 0 {
            break;
        }
        if line.last() != Some(&b'\n') && read as u64 == MAX_LINE {
            skip_line(&mut input)?;
        }
        // Some programs begin their output with a byte order mark.
        let text = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&line);
        let answer = match parse(text) {
            Ok(value) => classified(&value, args.surface)?,
            Err(error) => {
                exit = Exit::BadInput;
                broken(&error)
            }
        };
        let answer = redacted(answer);
        let written = if human {
            writeln!(out, "{}\n", redact(&layout(&answer)))
        } else {
            serde_json::to_writer(&mut out, &answer)
                .map_err(std::io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
        };
        // Answered line by line, so that a program can converse with this one.
        match written.and_then(|()| out.flush()) {
            Ok(()) => {}
            // Whoever closed the pipe has read enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(exit),
            Err(error) => return Err(error).context("cannot write to standard output"),
        }
    }
    Ok(exit)
}

/// Reads one value of any depth up to the limit.
fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    if depth(text) > MAX_DEPTH {
        return Err(serde::de::Error::custom(format!("it is nested deeper than {MAX_DEPTH} levels")));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    reader.disable_recursion_limit();
    let value = Value::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// The deepest nesting of brackets outside strings.
fn depth(text: &[u8]) -> usize {
    let (mut now, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The rest of a line that is too long.
fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let (used, done) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(used);
        if done {
            return Ok(());
        }
    }
}

/// Takes out the secrets that the error may have carried.
fn redacted(mut answer: Value) -> Value {
    for cause in answer.get_mut("causes").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(Value::String(message)) = cause.get_mut("message") {
            *message = redact(message).into_owned();
        }
    }
    answer
}

/// An answer for people, whatever was classified: the layout of [`moorline_failover::render`], which a test compares.
fn layout(answer: &Value) -> String {
    let word = |name: &str| answer.get(name).and_then(Value::as_str);
    let mut out = word("code").unwrap_or_default().to_owned();
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            out.push_str(&format!("\n  {name:<13} {value}"));
        }
    };
    for name in ["reason", "scope"] {
        line(name, word(name).map(str::to_owned));
    }
    let with = |name: &str, beside: Option<String>| match (word(name)?, beside) {
        (value, Some(beside)) => Some(format!("{value} ({beside})")),
        (value, None) => Some(value.to_owned()),
    };
    let stated = answer.get("retryAfterMs").and_then(Value::as_u64).map(|ms| format!("{ms} ms"));
    line("retry", with("retry", stated));
    line("evidence", with("evidence", word("certainty").map(str::to_owned)));
    line("rule", word("rule").map(str::to_owned));
    let documented = rules().find(|rule| Some(rule.id) == word("rule"));
    line("documented", documented.map(|rule| rule.source.to_owned()));
    line("effect", word("effect").map(str::to_owned));
    line("moved to", word("movedTo").map(str::to_owned));
    for cause in answer.get("causes").and_then(Value::as_array).into_iter().flatten() {
        let parts = ["code", "message"].map(|part| cause.get(part).and_then(Value::as_str));
        let said: Vec<_> = parts.into_iter().flatten().collect();
        line("beneath", Some(said.join(" ")));
    }
    for (name, key) in CONSUMERS {
        line(name, answer["verdicts"][key].as_str().map(str::to_owned));
    }
    out
}

/// As people call them, and as the answer does.
const CONSUMERS: [(&str, &str); 5] = [
    ("runner", "runner"),
    ("failover", "failover"),
    ("prompt cache", "promptCache"),
    ("announce", "announce"),
    ("QA", "qa"),
];

fn classified(value: &Value, surface: ClassifySurface) -> serde_json::Result<Value> {
    let surface = match surface {
        ClassifySurface::Auto if is_of_a_channel(value) => ClassifySurface::Delivery,
        ClassifySurface::Auto | ClassifySurface::Provider | ClassifySurface::Delivery => surface,
    };
    match surface {
        ClassifySurface::Auto => {
            let explained = explain(value, Surface::Auto, clock::wall());
            let unclassified = explained.code == Code::Local(Local::Unclassified);
            match unclassified.then(|| classify_delivery(value)).filter(is_by_a_channel) {
                Some(verdict) => Ok(delivery_json(&verdict)),
                None => serde_json::to_value(explained),
            }
        }
        ClassifySurface::Provider => serde_json::to_value(explain(value, Surface::Provider, clock::wall())),
        ClassifySurface::Delivery => of_delivery(value),
    }
}

/// An error that names a channel and no provider came from a delivery.
fn is_of_a_channel(value: &Value) -> bool {
    let has = |name: &str| value.get(name).is_some_and(Value::is_string);
    has("channel") && !has("provider")
}

/// Whether a channel's own answer can be told without its name: by its shape, or by the words of a gateway.
fn is_by_a_channel(verdict: &DeliveryVerdict) -> bool {
    let of_a_gateway = || verdict.rule.starts_with("gateway.");
    verdict.rule != "none" && (verdict.channel.is_some() || of_a_gateway())
}

fn of_delivery(value: &Value) -> serde_json::Result<Value> {
    let verdict = classify_delivery(value);
    // A lock that was in the way of a delivery, or a defect of the sender, says nothing about the channel.
    let local = match foreign::read(value) {
        foreign::Reading::Ours(found) => match found.code.domain() {
            Domain::Coordination => true,
            // A name or a text may be that of a client whose time for one send ran out.
            Domain::Cancelled => match found.evidence {
                foreign::Evidence::Wire | foreign::Evidence::Code => true,
                foreign::Evidence::Name | foreign::Evidence::Errno | foreign::Evidence::Text => false,
            },
            // The operating system's own word about a file here, where the channel said nothing but the same in general words.
            Domain::Local => {
                verdict.rule == "none" || found.rule == "errno" && verdict.evidence == DeliveryEvidence::Text
            }
            Domain::Request | Domain::Provider | Domain::Delivery => false,
        },
        foreign::Reading::Provider { .. } | foreign::Reading::Unknown => false,
    };
    if local {
        return serde_json::to_value(explain(value, Surface::Auto, clock::wall()));
    }
    if let Some(explained) = distrust(value, &verdict) {
        return serde_json::to_value(explained);
    }
    Ok(delivery_json(&verdict))
}

/// A certificate that was not trusted: no channel spoke, and no repetition helps.
fn distrust(value: &Value, verdict: &DeliveryVerdict) -> Option<moorline_failover::Explained> {
    match verdict.evidence {
        DeliveryEvidence::Code | DeliveryEvidence::Status => return None,
        DeliveryEvidence::Text | DeliveryEvidence::Transport | DeliveryEvidence::None => {}
    }
    // The words and codes of trust are the same whoever was called.
    let explained = explain(value, Surface::Provider, clock::wall());
    (explained.code == Code::Local(Local::TlsTrust)).then_some(explained)
}

fn delivery_json(verdict: &DeliveryVerdict) -> Value {
    let verdicts = policy(verdict.code(), verdict.effect);
    let retry = match (verdict.retry_after, verdicts.announce) {
        (Some(delay), AnnounceVerdict::Retry) if delay.is_zero() => "now",
        (Some(_), AnnounceVerdict::Retry) => "after",
        (None, AnnounceVerdict::Retry) => "backoff",
        (
            _,
            AnnounceVerdict::Permanent
            | AnnounceVerdict::Reconcile
            | AnnounceVerdict::Stop
            | AnnounceVerdict::None,
        ) => "forbidden",
    };
    json!({
        "code": verdict.code().to_string(),
        "domain": verdict.code().domain().as_str(),
        "reason": null,
        "scope": verdict.scope.map(|scope| scope.as_str()),
        "retry": retry,
        "retryAfterMs": verdict.retry_after.map(millis),
        "evidence": verdict.evidence.as_str(),
        "certainty": verdict.certainty.as_str(),
        "rule": verdict.rule,
        "causes": [],
        "verdicts": verdicts,
        "effect": verdict.effect,
        "movedTo": verdict.moved_to,
    })
}

/// A line that is not JSON is answered like any other.
fn broken(error: &serde_json::Error) -> Value {
    let unclassified = Code::Local(Local::Unclassified);
    json!({
        "code": unclassified.to_string(),
        "domain": unclassified.domain().as_str(),
        "reason": null,
        "scope": null,
        "retry": "forbidden",
        "retryAfterMs": null,
        "evidence": "none",
        "certainty": "guess",
        "rule": "input.not-json",
        "causes": [{"code": null, "message": format!("the line is not JSON: {error}")}],
        "verdicts": policy(unclassified, moorline_taxonomy::Effect::None),
    })
}

fn millis(delay: Duration) -> u64 {
    u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_the_layout_of_an_explanation() {
        for line in [
            json!({"status": 402, "provider": "openrouter", "message": "Insufficient credits."}),
            json!({"status": 429, "provider": "openai", "headers": {"retry-after": "7"}}),
            json!({"code": "coordination.lock_stale", "cause": {"message": "x", "code": "ENOSPC"}}),
            json!("no class"),
        ] {
            let explained = explain(&line, Surface::Auto, clock::wall());
            let answer = serde_json::to_value(&explained).unwrap();
            assert_eq!(layout(&answer), moorline_failover::render(&explained), "{line}");
        }
        let broken = layout(&broken(&parse(b"{").unwrap_err()));
        let channel = json!({"channel": "telegram", "body": {"ok": false, "error_code": 429, "parameters": {"retry_after": 7}}});
        let delivery = layout(&classified(&channel, ClassifySurface::Auto).unwrap());
        assert!(delivery.contains("\n  retry         after (7000 ms)\n"), "{delivery}");
        for (text, code) in [(broken, "local.unclassified"), (delivery, "delivery.rate_limited")] {
            assert!(text.starts_with(&format!("{code}\n  ")), "{text}");
            assert!(text.contains("\n  evidence      ") && text.contains("\n  rule          "), "{text}");
            assert!(
                text.contains("\n  prompt cache  ignore\n") && text.contains("\n  QA            fail"),
                "{text}"
            );
            assert!(!text.contains(['{', '"']), "{text}");
        }
    }
}
