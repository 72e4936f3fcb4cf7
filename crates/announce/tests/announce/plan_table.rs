//! The plan as a table: from a state, after an event, what is written and done. Read it as the specification.

use std::time::Duration;

use moorline_announce::{
    Body, Envelope, Event, Evidence, Failure, Happened, Key, Limits, Lookup, Path, Progress, Receipt, Row,
    SendError, State, Step, Then, Timestamp, Waiting, plan, prepare,
};
use moorline_taxonomy::{Cancelled, Code, Coordination, Delivery, Effect, Local, Mark, Provider};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const PAUSE: Duration = secs(5);

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn limits() -> Limits {
    Limits::standard().unwrap()
}

fn row(state: State) -> Row {
    let key = Key::completion("agent:main:main", "run").unwrap();
    let fresh =
        prepare(key, Envelope::result("agent:main:main", "the result"), NOW.minus(secs(60)), &limits());
    Row {
        seq: 7,
        state,
        sends: 1,
        doubt: matches!(state, State::Sending | State::Uncertain),
        due_at: NOW,
        updated_at: NOW.minus(secs(1)),
        ..fresh
    }
}

fn after(row: &Row, event: Event) -> Step {
    plan(row, &Evidence { event, pause: PAUSE }, NOW, &limits())
}

fn failure(code: impl Into<Code>, effect: Effect) -> Failure {
    SendError::new(Mark::new(code).effect_is(effect)).failure().clone()
}

fn refused(code: impl Into<Code>) -> Event {
    Event::Sent(Err(failure(code, Effect::None)))
}

fn broke(code: impl Into<Code>) -> Event {
    Event::Sent(Err(failure(code, Effect::Possible)))
}

fn receipt(progress: Progress) -> Event {
    Event::Sent(Ok(Receipt { path: Path::Turn, progress }))
}

fn found(lookup: Lookup) -> Event {
    Event::LookedUp(Ok(lookup))
}

#[test]
fn every_state_and_event() {
    use State::{Delivered, Expired, Prepared, Rejected, Sending, Silent, Uncertain};
    use Then::{Ask, Send, Wait};
    let (backoff, busy, turn, asked) =
        (Waiting::Backoff, Waiting::Busy, Waiting::Turn, Waiting::Confirmation);
    // From, event; to, what then, waiting for what, due after so many seconds. None: nothing is written.
    type Case = (State, Event, Option<(State, Then, Waiting, u64)>);
    let cases: Vec<Case> = vec![
        (Prepared, Event::Due, Some((Sending, Send, turn, 0))),
        (Sending, Event::Due, None),
        (Uncertain, Event::Due, Some((Uncertain, Ask, turn, 0))),
        (Prepared, Event::Restarted, None),
        (Sending, Event::Restarted, Some((Uncertain, Wait, asked, 0))),
        (Uncertain, Event::Restarted, None),
        // Receipts.
        (Sending, receipt(Progress::Delivered), Some((Delivered, Wait, turn, 0))),
        (Sending, receipt(Progress::SaidNothing), Some((Silent, Wait, turn, 0))),
        (Sending, receipt(Progress::Accepted), Some((Uncertain, Wait, asked, 5))),
        // Evidence that comes late still counts.
        (Uncertain, receipt(Progress::Delivered), Some((Delivered, Wait, turn, 0))),
        (Prepared, receipt(Progress::Delivered), Some((Delivered, Wait, turn, 0))),
        (Prepared, receipt(Progress::Accepted), Some((Uncertain, Wait, asked, 5))),
        (Prepared, found(Lookup::Delivered), Some((Delivered, Wait, turn, 0))),
        // Refused before it had an effect.
        (Sending, refused(Delivery::Transient), Some((Prepared, Wait, backoff, 5))),
        (Sending, refused(Delivery::RateLimited), Some((Prepared, Wait, backoff, 5))),
        (Sending, refused(Delivery::Pending), Some((Prepared, Wait, busy, 5))),
        (Sending, refused(Coordination::LockTimeout), Some((Prepared, Wait, backoff, 5))),
        (Sending, refused(Coordination::LaneTimeout), Some((Prepared, Wait, backoff, 5))),
        (Sending, refused(Provider::Overloaded), Some((Prepared, Wait, backoff, 5))),
        (Sending, refused(Cancelled::Shutdown), Some((Prepared, Wait, backoff, 5))),
        (Sending, refused(Delivery::TargetGone), Some((Rejected, Wait, turn, 0))),
        (Sending, refused(Delivery::Auth), Some((Rejected, Wait, turn, 0))),
        (Sending, refused(Delivery::Payload), Some((Rejected, Wait, turn, 0))),
        (Sending, refused(Local::DiskFull), Some((Rejected, Wait, turn, 0))),
        (Sending, refused(Provider::Billing), Some((Rejected, Wait, turn, 0))),
        (Sending, refused(Delivery::TargetMoved), Some((Rejected, Wait, turn, 0))),
        (Sending, refused(Provider::Unknown), Some((Uncertain, Wait, asked, 5))),
        (Sending, refused(Coordination::SessionTakeover), Some((Uncertain, Wait, asked, 5))),
        // May have been seen: never sent again on this evidence, whatever the code.
        (Sending, broke(Delivery::Transient), Some((Uncertain, Wait, asked, 5))),
        (Sending, broke(Delivery::RateLimited), Some((Uncertain, Wait, asked, 5))),
        (Sending, broke(Delivery::Uncertain), Some((Uncertain, Wait, asked, 5))),
        (Sending, broke(Delivery::Payload), Some((Uncertain, Wait, asked, 5))),
        (Sending, broke(Delivery::TargetMoved), Some((Uncertain, Wait, asked, 5))),
        (Sending, broke(Local::Permission), Some((Uncertain, Wait, asked, 5))),
        (Sending, broke(Coordination::LockStale), Some((Uncertain, Wait, asked, 5))),
        (Sending, broke(Cancelled::Shutdown), Some((Uncertain, Wait, asked, 5))),
        // A failure of a send that the row has left behind.
        (Prepared, broke(Delivery::Uncertain), None),
        (Uncertain, refused(Delivery::TargetGone), None),
        // Lookups.
        (Uncertain, found(Lookup::Delivered), Some((Delivered, Wait, turn, 0))),
        (Uncertain, found(Lookup::SaidNothing), Some((Silent, Wait, turn, 0))),
        (Uncertain, found(Lookup::Accepted), Some((Uncertain, Wait, asked, 5))),
        (Uncertain, found(Lookup::Absent), Some((Prepared, Wait, turn, 0))),
        (Uncertain, found(Lookup::NotKnown), Some((Uncertain, Wait, asked, 5))),
        (Uncertain, found(Lookup::NotKnowable), Some((Expired, Wait, turn, 0))),
        (
            Uncertain,
            Event::LookedUp(Err(failure(Delivery::Auth, Effect::None))),
            Some((Uncertain, Wait, asked, 5)),
        ),
        (Prepared, found(Lookup::Absent), None),
        (Sending, found(Lookup::Absent), None),
        // People.
        (Prepared, Event::Retry, Some((Prepared, Wait, turn, 0))),
        (Uncertain, Event::Retry, Some((Uncertain, Wait, turn, 0))),
        (Sending, Event::Retry, None),
        (Prepared, Event::Dismiss, Some((Rejected, Wait, turn, 0))),
        (Uncertain, Event::Dismiss, Some((Rejected, Wait, turn, 0))),
        (Sending, Event::Dismiss, None),
        (Rejected, Event::Retry, Some((Prepared, Wait, turn, 0))),
        (Expired, Event::Retry, Some((Prepared, Wait, turn, 0))),
        (Delivered, Event::Retry, None),
        (Silent, Event::Retry, None),
    ];
    for (state, event, expected) in cases {
        let row = row(state);
        let step = after(&row, event.clone());
        let written = step.row.as_ref().map(|next| {
            assert_eq!(next.version, row.version + 1);
            assert_eq!(next.settled_at.is_some(), next.state.is_terminal(), "{state:?} {event:?}");
            let due = if next.state == Sending { 0 } else { next.due_at.since(NOW).as_secs() };
            (next.state, step.then, next.waiting, due)
        });
        assert_eq!(written, expected, "{state:?} after {event:?}");
        let told = step.notice.is_some();
        let failed = step.row.is_some_and(|next| matches!(next.state, Rejected | Expired));
        assert_eq!(told, failed && event != Event::Dismiss, "{state:?} after {event:?}");
    }
}

#[test]
fn a_terminal_row_stays_as_it_is() {
    let events = [
        Event::Due,
        Event::Restarted,
        receipt(Progress::Delivered),
        refused(Delivery::Transient),
        broke(Delivery::Uncertain),
        found(Lookup::Delivered),
        found(Lookup::Absent),
        Event::RequesterIdle,
        Event::Dismiss,
    ];
    for state in State::ALL.into_iter().filter(|state| state.is_terminal()) {
        for event in &events {
            assert_eq!(after(&row(state), event.clone()).row, None, "{state:?} after {event:?}");
        }
    }
}

#[test]
fn a_stated_pause_is_obeyed_and_costs_no_time() {
    let send = |stated| {
        let error = SendError::new(Mark::new(Delivery::RateLimited).retry_after_is(stated));
        after(&row(State::Sending), Event::Sent(Err(error.failure().clone()))).row.unwrap()
    };
    let next = send(secs(3600));
    assert_eq!((next.waiting, next.due_at), (Waiting::Stated, NOW.plus(secs(3600))));
    assert_eq!(next.expires_at, row(State::Sending).expires_at.plus(secs(3600)));
    assert_eq!(send(secs(1)).due_at, NOW.plus(PAUSE), "a shorter pause than the schedule's shortens nothing");
    assert_eq!(send(secs(25 * 3600)).state, State::Expired, "longer than anybody waits");
    let idle = after(&next, Event::RequesterIdle);
    assert_eq!(idle.row, None, "an idle session does not lift a channel's limit");
}

#[test]
fn parked_until_the_first_candidate_is_back() {
    let park = |until| {
        let error = SendError::new(Mark::new(Provider::RateLimit)).parked_until(until);
        after(&row(State::Sending), Event::Sent(Err(error.failure().clone()))).row.unwrap()
    };
    let until = NOW.plus(secs(5 * 3600));
    let next = park(until);
    assert_eq!((next.state, next.waiting, next.due_at), (State::Prepared, Waiting::Parked, until));
    assert_eq!(next.expires_at, row(State::Sending).expires_at.plus(secs(5 * 3600)));
    assert_eq!(park(NOW.minus(secs(9))).due_at, NOW.plus(PAUSE), "a time that is over is no hot loop");
    assert_eq!(after(&next, Event::Retry).row.unwrap().due_at, NOW, "an operator may try");
}

#[test]
fn a_target_that_moved_is_followed_once() {
    let moved = |row: &Row| {
        let error = SendError::new(Mark::new(Delivery::TargetMoved)).moved_to("chat -100");
        after(row, Event::Sent(Err(error.failure().clone()))).row.unwrap()
    };
    let next = moved(&row(State::Sending));
    assert_eq!((next.state, next.envelope.to.as_str(), next.due_at), (State::Prepared, "chat -100", NOW));
    let again = moved(&Row { state: State::Sending, ..next });
    assert_eq!(again.state, State::Rejected);
}

#[test]
fn time_expires_what_was_tried_enough_and_nothing_else() {
    let late = |sends| Row { sends, expires_at: NOW.minus(secs(1)), ..row(State::Sending) };
    let refused = || refused(Delivery::Transient);
    assert_eq!(
        after(&late(3), refused()).row.unwrap().state,
        State::Prepared,
        "a host that was down for an hour"
    );
    assert_eq!(after(&late(4), refused()).row.unwrap().state, State::Expired);
    let early = Row { sends: 32, ..row(State::Sending) };
    assert_eq!(
        after(&early, refused()).row.unwrap().state,
        State::Expired,
        "attempts are bounded at any time"
    );
    let never_sent = Row { sends: 0, expires_at: NOW.minus(secs(9999)), ..row(State::Prepared) };
    assert_eq!(after(&never_sent, Event::Due).then, Then::Send);

    // The last try comes when the time ends and not a whole delay later.
    let nearly = Row { sends: 9, expires_at: NOW.plus(secs(2)), ..row(State::Sending) };
    assert_eq!(after(&nearly, refused()).row.unwrap().due_at, nearly.expires_at);

    let unanswered = Row { expires_at: NOW, ..row(State::Uncertain) };
    assert_eq!(after(&unanswered, found(Lookup::NotKnown)).row.unwrap().state, State::Expired);
    let working = after(&unanswered, found(Lookup::Accepted)).row.unwrap();
    assert_eq!(working.state, State::Uncertain, "a receiver at work is waited for");
    let asked = Row { lookups: 64, ..row(State::Uncertain) };
    assert_eq!(after(&asked, found(Lookup::Accepted)).row.unwrap().state, State::Expired);
}

#[test]
fn a_wall_clock_that_went_back_keeps_every_wait_its_length() {
    let hour = secs(3600);
    let future =
        Row { updated_at: NOW.plus(hour), due_at: NOW.plus(hour + secs(20)), ..row(State::Prepared) };
    let future = Row { expires_at: NOW.plus(hour + secs(600)), ..future };
    let step = after(&future, Event::Due);
    let next = step.row.unwrap();
    assert_eq!(
        (step.then, next.due_at, next.expires_at),
        (Then::Wait, NOW.plus(secs(20)), NOW.plus(secs(600)))
    );
    let due = Row { due_at: NOW.plus(hour), ..future };
    assert_eq!(after(&due, Event::Due).then, Then::Send);
}

#[test]
fn the_notice_says_everything_and_has_none_of_its_own() {
    let sending = after(&row(State::Prepared), Event::Due).row.unwrap();
    let retried = after(&sending, refused(Delivery::Transient)).row.unwrap();
    let again = Row { state: State::Sending, ..retried };
    let step = after(&again, refused(Delivery::Auth));
    let notice = step.notice.unwrap();
    assert!(notice.key.is_give_up());
    assert_eq!((notice.state, notice.envelope.to.as_str()), (State::Prepared, "agent:main:main"));
    let Body::GaveUp(said) = &notice.envelope.body else { panic!("{notice:?}") };
    assert_eq!(said.cause.code.to_string(), "delivery.auth");
    assert_eq!(said.attempts.iter().map(|record| record.what).collect::<Vec<_>>(), [Happened::Refused; 2]);
    assert_eq!((said.state, said.result.as_str()), (State::Rejected, "the result"));

    let lost = after(&Row { state: State::Sending, seq: 8, ..notice }, refused(Delivery::TargetGone));
    assert_eq!((lost.row.unwrap().state, lost.notice), (State::Rejected, None));
}

#[test]
fn what_may_have_been_seen_is_looked_up_even_for_an_operator() {
    let expired = after(&row(State::Uncertain), found(Lookup::NotKnowable)).row.unwrap();
    assert!(expired.doubt);
    let reopened = after(&expired, Event::Retry).row.unwrap();
    assert_eq!((reopened.state, reopened.settled_at, reopened.sends), (State::Uncertain, None, 0));
}

#[test]
fn nothing_to_say_is_settled_and_never_sent() {
    let key = Key::completion("s", "r").unwrap();
    let silent = prepare(key, Envelope::result("s", " NO_REPLY "), NOW, &limits());
    assert_eq!((silent.state, silent.settled_at), (State::Silent, Some(NOW)));
    let smuggled = Row { envelope: Envelope::result("s", ""), ..row(State::Prepared) };
    let step = after(&smuggled, Event::Due);
    assert_eq!((step.row.unwrap().state, step.then, step.notice), (State::Silent, Then::Wait, None));
}

#[test]
fn an_error_without_a_code_is_not_known_to_be_safe() {
    let error = SendError::new(std::io::Error::other("strange"));
    assert_eq!(
        (error.failure().code, error.failure().effect),
        (Delivery::Uncertain.into(), Effect::Possible)
    );
    assert_eq!(error.failure().cause.code.to_string(), "delivery.uncertain");
}
