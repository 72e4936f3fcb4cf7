//! Scenario files that are wrong: the error names file, scenario, step and field.

use std::error::Error as _;

use moorline_qa_retry::{Scenario, ScenarioError, ScenarioProblem, Step, read_scenarios};
use moorline_taxonomy::{Local, Mark};

fn refused(text: &str) -> ScenarioError {
    match read_scenarios("dir/x.yaml", text) {
        Ok(scenarios) => panic!("accepted: {scenarios:?}"),
        Err(error) => error,
    }
}

/// The error of a scenario whose second step is `step`, on line 5.
fn refused_step(step: &str) -> ScenarioError {
    refused(&format!("name: one\n\nsteps:\n  - create: {{ key: k }}\n  - {step}\n"))
}

#[test]
fn a_wrong_step_is_named_with_its_field() {
    for (step, field, problem) in [
        ("sned: { to: a, message: m }", None, "unknown variant `sned`, expected one of `create`, `send`"),
        ("send: { to: a, mesage: m }", Some("send.mesage"), "unknown field `mesage`"),
        ("send: { message: m }", Some("send"), "missing field `to`"),
        ("send: { to: 7, message: m }", Some("send.to"), "invalid type: integer `7`, expected a string"),
        (
            "send: { to: a, message: m, timeoutMs: 0 }",
            Some("send.timeoutMs"),
            "0 is not within 1 to 86400000",
        ),
        ("send: { to: a, message: m, timeoutMs: 1s }", Some("send.timeoutMs"), "invalid type: string \"1s\""),
        ("send: { to: a, message: m, timeoutMs: -5 }", Some("send.timeoutMs"), "invalid value: integer `-5`"),
        ("send: { to: a, message: m, maxPingPong: 21 }", Some("send.maxPingPong"), "is 0 to 20"),
        ("send: { to: a, message: '' }", Some("send.message"), "must not be empty"),
        ("create: { key: ' ' }", Some("create.key"), "must not be empty"),
        ("spawn: { requester: r }", Some("spawn"), "missing field `task`"),
        ("contention: { key: k }", Some("contention"), "missing field `holdMs`"),
        ("wait: { for: lunch }", Some("wait.for"), "unknown variant `lunch`"),
        ("wait: { for: announce }", Some("wait.requester"), "waiting for an announce needs it"),
        ("wait: { for: idle }", Some("wait.key"), "waiting for an idle session needs it"),
        ("wait: { for: run }", Some("wait.for"), "no step before starts a run"),
        (
            "wait: { for: idle, key: k, requester: r }",
            Some("wait.requester"),
            "only announces have a requester",
        ),
        ("expect: {}", Some("expect"), "expects nothing"),
        ("expect: { reply: { equals: m } }", Some("expect.reply"), "no step before gives one"),
        ("expect: { reply: { matches: m } }", Some("expect.reply"), "unknown variant `matches`"),
        ("expect: { outcome: replied }", Some("expect.outcome"), "no step before gives one"),
        ("expect: { send: { replied: true } }", Some("expect.send"), "no step before sends"),
        ("expect: { error: { code: lock_stale } }", Some("expect.error.code"), "is not a Moorline code"),
        ("expect: { attempts: {} }", Some("expect.attempts"), "needs min or max"),
        (
            "expect: { history: { key: '{child}' } }",
            Some("expect.history.key"),
            "no step before spawns a {child}",
        ),
        (
            "expect: { history: { key: k, count: -1 } }",
            Some("expect.history.count"),
            "invalid value: integer `-1`",
        ),
        ("just words", None, "unknown variant `just words`"),
    ] {
        let error = refused_step(step);
        let text = error.to_string();
        assert_eq!(
            (error.file(), error.scenario(), error.step()),
            ("dir/x.yaml", Some("one"), Some(2)),
            "{text}"
        );
        assert_eq!(error.line(), Some(5), "{text}");
        if field.is_some() {
            assert_eq!(error.field(), field, "{text}");
        }
        assert!(text.contains(problem), "{text} lacks {problem}");
        assert_eq!(Mark::find(&error).unwrap().code(), Local::Config.into());
    }
}

#[test]
fn the_whole_message() {
    let error = refused_step("send: { to: a, message: m, timeoutMs: 0 }");
    assert_eq!(
        error.to_string(),
        "dir/x.yaml:5: scenario \"one\": step 2: send.timeoutMs: 0 is not within 1 to 86400000 milliseconds"
    );
}

#[test]
fn an_expected_error_must_follow_the_step_that_fails() {
    for steps in [
        "[{ expect: { error: { code: provider.billing } } }]",
        "[{ send: { to: a, message: m } }, { expect: { send: { accepted: true } } }, { expect: { error: { code: provider.billing } } }]",
    ] {
        let error = refused(&format!("name: one\nsteps: {steps}\n"));
        assert_eq!(error.field(), Some("expect.error"), "{error}");
    }
}

#[test]
fn a_wrong_document_is_named() {
    for (text, problem, scenario) in [
        ("", ScenarioProblem::Empty, None),
        ("# only a comment\n", ScenarioProblem::Empty, None),
        ("name: ''\nsteps: [{ create: { key: k } }]\n", ScenarioProblem::NoName, Some("")),
        ("name: one\nsteps: []\n", ScenarioProblem::NoSteps, Some("one")),
    ] {
        let error = refused(text);
        assert_eq!((error.problem(), error.scenario()), (&problem, scenario), "{text:?}");
    }
    for (text, field, problem) in [
        ("name: one\nstep: []\n", Some("step"), "unknown field `step`"),
        ("name: one\n", None, "missing field `steps`"),
        ("steps: []\n", None, "missing field `name`"),
        ("name: one\nsteps: []\ndeadlineMs: soon\n", Some("deadlineMs"), "invalid type"),
        ("- a\n- b\n", None, "invalid"),
        ("42\n", None, "invalid type"),
    ] {
        let error = refused(text);
        assert!(matches!(error.problem(), ScenarioProblem::Field(_)), "{text:?}: {error}");
        assert_eq!(error.field(), field, "{text:?}: {error}");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn what_is_not_yaml_is_shown_with_its_line_and_cause() {
    let error = refused("name: one\nsteps:\n  - create: { key: k\n");
    assert_eq!(error.problem(), &ScenarioProblem::NotYaml);
    assert!(error.line().is_some(), "{error}");
    let cause = error.source().unwrap().source().unwrap();
    assert!(!cause.to_string().is_empty());
    // A key that is given twice has one meaning too many.
    assert_eq!(refused("name: one\nname: two\nsteps: []\n").problem(), &ScenarioProblem::NotYaml);
}

#[test]
fn each_document_is_a_scenario_and_a_file_is_run_whole_or_not_at_all() {
    let good = |name: &str| format!("name: {name}\nsteps:\n  - create: {{ key: k }}\n");
    let scenarios = read_scenarios("x.yaml", &format!("{}---\n{}", good("one"), good("two"))).unwrap();
    assert_eq!(scenarios.iter().map(Scenario::name).collect::<Vec<_>>(), ["one", "two"]);
    let same = refused(&format!("{}---\n{}", good("one"), good("one")));
    assert_eq!((same.problem(), same.scenario()), (&ScenarioProblem::SameName, Some("one")));
    let second = refused(&format!("{}---\n{}  - sned: {{}}\n", good("one"), good("two")));
    assert_eq!((second.scenario(), second.step(), second.line()), (Some("two"), Some(2), Some(8)));
}

#[test]
fn a_scenario_made_in_code_keeps_the_same_rules() {
    assert_eq!(
        Scenario::new("code", "x", None, Vec::new()).unwrap_err().problem(),
        &ScenarioProblem::NoSteps
    );
    let wait: Step = serde_json::from_value(serde_json::json!({ "wait": { "for": "run" } })).unwrap();
    let error = Scenario::new("code", "x", None, vec![wait]).unwrap_err();
    assert_eq!((error.step(), error.field()), (Some(1), Some("wait.for")));
}
