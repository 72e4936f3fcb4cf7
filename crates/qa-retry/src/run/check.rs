//! The comparisons: pure functions from what is expected and what was found to mismatches.

use moorline_taxonomy::WireCode;

use super::{
    answers::{AnnounceRow, Message},
    state::Turn,
};
use crate::{
    AnnounceMatch, AttemptsMatch, ErrorMatch, HistoryMatch, Mismatch, SendFacts, TextMatch, ToolCallMatch,
    report::shown,
};

fn mismatch(field: &str, expected: impl Into<String>, actual: impl Into<String>) -> Mismatch {
    Mismatch { field: format!("expect.{field}"), expected: expected.into(), actual: actual.into() }
}

pub(super) fn error(expected: &ErrorMatch, actual: Option<&WireCode>) -> Option<Mismatch> {
    if actual.and_then(WireCode::known) == Some(expected.code) {
        return None;
    }
    let found = actual.map_or_else(|| "no error".to_owned(), ToString::to_string);
    Some(mismatch("error.code", expected.code.to_string(), found))
}

pub(super) fn attempts(expected: &AttemptsMatch, actual: u32) -> Option<Mismatch> {
    let few = expected.min.filter(|min| actual < *min).map(|min| format!("at least {min}"));
    let many = expected.max.filter(|max| actual > *max).map(|max| format!("at most {max}"));
    few.or(many).map(|expected| mismatch("attempts", expected, actual.to_string()))
}

pub(super) fn outcome(expected: &str, turn: Option<&Turn>) -> Option<Mismatch> {
    let actual = turn.and_then(|turn| turn.outcome.as_deref());
    (actual != Some(expected))
        .then(|| mismatch("outcome", shown(expected), actual.map_or_else(|| "no outcome".to_owned(), shown)))
}

pub(super) fn reply(
    expected: &TextMatch,
    turn: Option<&Turn>,
    fill: impl Fn(&str) -> String,
) -> Option<Mismatch> {
    let actual = turn.and_then(|turn| turn.reply.as_deref());
    let (field, wanted, holds) = match expected {
        TextMatch::Equals(text) => {
            let text = fill(text);
            let holds = actual == Some(text.as_str());
            ("reply.equals", text, holds)
        }
        TextMatch::Contains(text) => {
            let text = fill(text);
            let holds = actual.is_some_and(|actual| actual.contains(&text));
            ("reply.contains", text, holds)
        }
    };
    (!holds).then(|| mismatch(field, shown(&wanted), actual.map_or_else(|| "no reply".to_owned(), shown)))
}

pub(super) fn send(expected: &SendFacts, actual: Option<&SendFacts>) -> Vec<Mismatch> {
    let facts = [
        ("send.accepted", expected.accepted, actual.and_then(|facts| facts.accepted)),
        ("send.delivered", expected.delivered, actual.and_then(|facts| facts.delivered)),
        ("send.replied", expected.replied, actual.and_then(|facts| facts.replied)),
    ];
    let wrong = facts.into_iter().filter_map(|(field, expected, actual)| {
        let expected = expected.filter(|expected| actual != Some(*expected))?;
        let found = actual.map_or_else(|| "no answer".to_owned(), |actual| actual.to_string());
        Some(mismatch(field, expected.to_string(), found))
    });
    wrong.collect()
}

pub(super) fn history(
    expected: &HistoryMatch,
    messages: &[Message],
    fill: impl Fn(&str) -> String,
) -> Option<Mismatch> {
    let HistoryMatch { key: _, role, contains, count } = expected;
    let text = contains.as_deref().map(fill);
    let fits = |message: &&Message| {
        role.as_ref().is_none_or(|role| *role == message.role)
            && text.as_ref().is_none_or(|text| message.text.contains(text))
    };
    let found = messages.iter().filter(fits).count();
    let of_role = role.as_ref().map(|role| format!(" of role {role}")).unwrap_or_default();
    let with_text = text.as_deref().map(|text| format!(" with {}", shown(text))).unwrap_or_default();
    counted("history", *count, found, &format!("messages{of_role}{with_text}"), || {
        let last = messages.last();
        let last =
            last.map_or_else(String::new, |last| format!(", the last: {} {}", last.role, shown(&last.text)));
        format!("{} messages in all{last}", messages.len())
    })
}

pub(super) fn tool_call(expected: &ToolCallMatch, messages: &[Message]) -> Option<Mismatch> {
    let calls = || messages.iter().flat_map(|message| &message.tool_calls);
    let found = calls().filter(|call| call.name == expected.name).count();
    counted("toolCall", expected.count, found, &format!("calls of {}", expected.name), || {
        let names: Vec<_> = calls().map(|call| call.name.as_str()).collect();
        format!("calls: {}", shown(&names.join(", ")))
    })
}

pub(super) fn announce(
    expected: &AnnounceMatch,
    rows: &[AnnounceRow],
    fill: impl Fn(&str) -> String,
) -> Option<Mismatch> {
    let AnnounceMatch { requester, state, count } = expected;
    let requester = fill(requester);
    let mine = || rows.iter().filter(|row| row.requester == requester);
    let found = mine().filter(|row| state.as_ref().is_none_or(|state| *state == row.state)).count();
    let in_state = state.as_ref().map(|state| format!(" in state {state}")).unwrap_or_default();
    counted("announce", *count, found, &format!("announces to {requester}{in_state}"), || {
        let states: Vec<_> = mine().map(|row| row.state.as_str()).collect();
        format!("states: {}", shown(&states.join(", ")))
    })
}

/// `count` exactly, or at least one.
fn counted(
    field: &str,
    count: Option<usize>,
    found: usize,
    what: &str,
    rest: impl FnOnce() -> String,
) -> Option<Mismatch> {
    let (holds, expected) = match count {
        Some(count) => (found == count, count.to_string()),
        None => (found > 0, "at least 1".to_owned()),
    };
    (!holds).then(|| mismatch(field, format!("{expected} {what}"), format!("{found} ({})", rest())))
}

#[cfg(test)]
mod tests {
    use moorline_taxonomy::{Code, Coordination, Provider};

    use super::*;

    fn message(role: &str, text: &str, tools: &[&str]) -> Message {
        let tool_calls =
            tools.iter().map(|name| super::super::answers::ToolCall { name: (*name).to_owned() }).collect();
        Message { role: role.to_owned(), text: text.to_owned(), tool_calls }
    }

    fn as_is(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn replies() {
        let turn = |reply: Option<&str>| Turn { reply: reply.map(str::to_owned), outcome: None };
        let cases = [
            (TextMatch::Equals("a b".into()), Some("a b"), true),
            (TextMatch::Equals("a b".into()), Some("a b "), false),
            (TextMatch::Contains("b".into()), Some("a b c"), true),
            (TextMatch::Contains("B".into()), Some("a b c"), false),
            (TextMatch::Contains("".into()), None, false),
        ];
        for (expected, actual, holds) in cases {
            let found = reply(&expected, Some(&turn(actual)), as_is);
            assert_eq!(found.is_none(), holds, "{expected:?} against {actual:?}: {found:?}");
        }
        assert!(reply(&TextMatch::Contains("x".into()), None, as_is).is_some());
        assert!(reply(&TextMatch::Equals("{run}".into()), Some(&turn(Some("7"))), |_| "7".into()).is_none());
    }

    #[test]
    fn counts_are_exact_when_stated_and_at_least_one_otherwise() {
        let messages = [
            message("user", "hello", &[]),
            message("assistant", "", &["sessions_spawn"]),
            message("assistant", "hello you", &[]),
        ];
        let cases = [
            (None, Some("hello"), None, true),
            (None, Some("hello"), Some(2), true),
            (Some("user"), Some("hello"), Some(1), true),
            (Some("user"), Some("hello"), Some(2), false),
            (Some("tool"), None, None, false),
            (Some("tool"), None, Some(0), true),
            (None, None, Some(3), true),
        ];
        for (role, contains, count, holds) in cases {
            let expected = HistoryMatch {
                key: String::new(),
                role: role.map(str::to_owned),
                contains: contains.map(str::to_owned),
                count,
            };
            let found = history(&expected, &messages, as_is);
            assert_eq!(found.is_none(), holds, "{expected:?}: {found:?}");
        }
        let call = |name: &str, count| ToolCallMatch { key: String::new(), name: name.into(), count };
        assert_eq!(tool_call(&call("sessions_spawn", Some(1)), &messages), None);
        assert!(tool_call(&call("sessions_send", None), &messages).is_some());
    }

    #[test]
    fn announces_of_others_do_not_count() {
        let row =
            |requester: &str, state: &str| AnnounceRow { requester: requester.into(), state: state.into() };
        let rows = [row("a", "delivered"), row("a", "prepared"), row("b", "delivered")];
        let expected = |state: Option<&str>, count| AnnounceMatch {
            requester: "a".into(),
            state: state.map(str::to_owned),
            count,
        };
        assert_eq!(announce(&expected(Some("delivered"), Some(1)), &rows, as_is), None);
        assert_eq!(announce(&expected(None, Some(2)), &rows, as_is), None);
        let found = announce(&expected(Some("delivered"), Some(2)), &rows, as_is).unwrap();
        assert!(found.actual.starts_with("1 ") && found.actual.contains("prepared"), "{found:?}");
    }

    #[test]
    fn errors_are_compared_by_code() {
        let expected = ErrorMatch { code: Code::from(Provider::RateLimit) };
        assert_eq!(error(&expected, Some(&WireCode::Known(Provider::RateLimit.into()))), None);
        for other in
            [None, Some(WireCode::Known(Coordination::LockStale.into())), Some("provider.new".into())]
        {
            assert!(error(&expected, other.as_ref()).is_some(), "{other:?}");
        }
    }

    #[test]
    fn facts_and_attempts_that_are_not_stated_are_not_checked() {
        let facts = SendFacts { accepted: Some(true), delivered: None, replied: Some(false) };
        let actual = SendFacts { accepted: Some(true), delivered: Some(true), replied: Some(true) };
        let found = send(&facts, Some(&actual));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].field, "expect.send.replied");
        assert_eq!(send(&facts, None).len(), 2);
        let between = |min, max| AttemptsMatch { min, max };
        assert_eq!(attempts(&between(Some(2), Some(3)), 2), None);
        assert!(attempts(&between(Some(2), None), 1).is_some());
        assert!(attempts(&between(None, Some(1)), 2).is_some());
    }
}
