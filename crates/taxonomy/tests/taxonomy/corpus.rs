//! The corpus of coordination errors as runtimes wrap them: every row that concerns this crate.
//!
//! A row states what the consumers must do; where it states a provider's class, only that a provider decides is this
//! crate's business, and which class it is the failover crate's.

use moorline_taxonomy::{
    Code, Effect, FailoverVerdict, QaVerdict,
    foreign::{Reading, read},
    policy,
};
use serde_json::Value;

#[test]
fn every_row_reads_as_it_states() {
    let rows = include_str!("../corpus/coordination-shapes.jsonl");
    let mut failures = Vec::new();
    for line in rows.lines() {
        let row: Value = serde_json::from_str(line).expect("a row is JSON");
        if let Err(why) = check(&row["input"], &row["expect"]) {
            failures.push(format!("{}: {why}", row["id"]));
        }
    }
    assert!(rows.lines().count() > 60, "the corpus is there");
    assert!(failures.is_empty(), "{} rows:\n{}", failures.len(), failures.join("\n"));
}

fn check(input: &Value, expect: &Value) -> Result<(), String> {
    let reading = read(input);
    let word = |key: &str| expect[key].as_str();
    let domain = word("domain").or_else(|| word("code")?.split('.').next());
    if let Some("provider" | "request") = domain {
        return match reading {
            Reading::Provider { .. } => Ok(()),
            Reading::Ours(_) | Reading::Unknown => Err(format!("a provider decides, read as {reading:?}")),
        };
    }
    let Some(code) = reading.code() else {
        // Without a stated class, "not retried" is all that a provider's answer must keep to.
        return if word("failover") == Some("stop") || word("code").is_some() {
            Err(format!("{reading:?}"))
        } else {
            Ok(())
        };
    };
    let verdicts = policy(code, Effect::None);
    let says = |key: &str, verdict: &str| word(key).is_none_or(|stated| stated == verdict);
    let matches = word("code").is_none_or(|stated| stated.parse() == Ok::<Code, _>(code))
        && says("failover", verdicts.failover.as_str())
        && says("qa", verdicts.qa.as_str())
        && says("promptCache", verdicts.prompt_cache.as_str());
    if matches { Ok(()) } else { Err(format!("read as {reading:?}")) }
}

/// The check itself can fail.
#[test]
fn the_check_tells_right_from_wrong() {
    let lock = serde_json::json!({ "code": "file_lock_stale" });
    let right = serde_json::json!({ "code": "coordination.lock_stale", "failover": "stop", "qa": "retry" });
    assert_eq!(check(&lock, &right), Ok(()));
    for wrong in [
        serde_json::json!({ "code": "coordination.lock_lost" }),
        serde_json::json!({ "failover": FailoverVerdict::Next.as_str() }),
        serde_json::json!({ "qa": QaVerdict::Fail.as_str() }),
        serde_json::json!({ "domain": "provider" }),
    ] {
        assert!(check(&lock, &wrong).is_err(), "{wrong}");
    }
}
