//! The three forms of a report, against files that show them whole.

use std::path::Path;

use moorline_qa_retry::{Report, Run, junit, read_scenarios, summary};
use moorline_retry::ManualClock;
use moorline_taxonomy::{Coordination, Effect, Provider, Wire};
use serde_json::json;

use crate::scripted::{Scripted, failed, replied};

/// What a token may look like.
const SECRET: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

const FILE: &str = "\
name: passes at once
steps:
  - send: { to: 'agent:a:{run}', message: hello }
---
name: passes after a retry
steps:
  - send: { to: 'agent:a:{run}', message: hello }
  - expect: { reply: { equals: hello } }
---
name: \"fails a check <& 'quoted'>\"
steps:
  - send: { to: 'agent:a:{run}', message: hello }
  - expect: { reply: { equals: goodbye }, send: { replied: false } }
  - create: { key: 'agent:a:{run}' }
";

const SECOND: &str = "\
name: meets a provider's error
steps:
  - create: { key: 'agent:a:{run}' }
  - send: { to: 'agent:a:{run}', message: hello }
";

async fn report() -> Report {
    let mut limited = Wire::new(Provider::RateLimit, "slow down\u{1b}[31m, session file locked");
    limited.effect = Effect::Possible;
    let gateway = Scripted::new([
        replied("hello"),
        failed(Coordination::LockTimeout),
        replied("hello"),
        replied(&format!("hello \u{1b}[2J sk-ant-api03-{SECRET}")),
        Ok(json!({})),
        Err(limited),
    ]);
    // Retries wait on a clock that a test moves; a task of the test moves it.
    let clock =
        ManualClock::starting_at(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000));
    let mut scenarios = read_scenarios("one.yaml", FILE).unwrap();
    scenarios.extend(read_scenarios("two.yaml", SECOND).unwrap());
    let run = Run::new("01J", &gateway, &clock).unwrap();
    let work = run.run(&scenarios);
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            report = &mut work => return report,
            () = tokio::task::yield_now() => clock.advance(std::time::Duration::from_secs(1)),
        }
    }
}

/// Compares with the file. A test never renews it: a person looks at what is printed, and copies it.
fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "{} differs; if this is meant, it becomes:\n{actual}", path.display());
}

#[tokio::test]
async fn as_junit() {
    golden("report.xml", &junit(&report().await).unwrap());
}

#[tokio::test]
async fn as_a_summary() {
    golden("summary.txt", &summary(&report().await, false));
}

#[tokio::test]
async fn as_json_and_back() {
    let report = report().await;
    let text = serde_json::to_string_pretty(&report).unwrap();
    golden("report.json", &format!("{text}\n"));
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[tokio::test]
async fn colours_are_the_only_escapes_and_come_only_when_asked_for() {
    let report = report().await;
    let plain = summary(&report, false);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let coloured = summary(&report, true);
    let mut without = coloured.clone();
    for code in ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"] {
        without = without.replace(code, "");
    }
    assert_eq!(without, plain);
    assert_ne!(coloured, plain);
}

#[tokio::test]
async fn no_form_shows_a_secret() {
    let report = report().await;
    let forms = [junit(&report).unwrap(), summary(&report, false), serde_json::to_string(&report).unwrap()];
    for form in forms {
        assert!(form.contains("hello") && !form.contains(SECRET), "{form}");
    }
}
