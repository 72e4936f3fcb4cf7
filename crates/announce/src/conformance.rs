//! What every outbox must do, as checks that any store can run against itself.
//!
//! Each check gets an empty outbox. A check that fails panics, since it runs inside a test. Durability cannot be
//! checked from inside a process; a store proves it by killing one.

use std::future::Future;

use crate::{
    Busy, Envelope, Event, Evidence, Filter, Happened, Key, Limits, Outbox, Prepared, Record, Row, State,
    Timestamp, Waiting, plan, prepare,
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Runs every check, each on an outbox of its own that `empty` makes.
///
/// # Panics
/// When the store does not do what an outbox must.
pub async fn check_outbox<Store, Made>(mut empty: impl FnMut() -> Made)
where
    Store: Outbox,
    Made: Future<Output = Store>,
{
    rows_come_back_whole(&empty().await).await;
    a_key_is_kept_once(&empty().await).await;
    one_of_two_writers_wins(&empty().await).await;
    a_notice_is_kept_with_its_row_or_not_at_all(&empty().await).await;
    due_rows_come_in_order_and_without_the_busy(&empty().await).await;
    a_clock_that_went_back_makes_rows_due(&empty().await).await;
    lists_are_filtered_and_paged(&empty().await).await;
    rows_are_counted_by_state(&empty().await).await;
    only_old_settled_rows_are_forgotten(&empty().await).await;
}

fn limits() -> Limits {
    match Limits::standard() {
        Ok(limits) => limits,
        Err(error) => unreachable!("the standard limits are valid: {error}"),
    }
}

fn row(requester: &str, run: &str) -> Row {
    match Key::completion(requester, run) {
        Ok(key) => prepare(key, Envelope::result(requester, format!("result of {run}")), NOW, &limits()),
        Err(error) => unreachable!("the keys of the suite are valid: {error}"),
    }
}

async fn kept(outbox: &impl Outbox, row: Row) -> Row {
    match outbox.prepare(&row).await {
        Ok(Prepared::New(row)) => row,
        other => unreachable!("a new key must be kept, not {other:?}"),
    }
}

/// The row with something in every field.
fn full(row: &Row) -> Row {
    let cause =
        moorline_taxonomy::Wire::new(moorline_taxonomy::Delivery::RateLimited, "wait, \u{1f980}\n\"please\"");
    Row {
        version: row.version + 1,
        state: State::Uncertain,
        waiting: Waiting::Confirmation,
        doubt: true,
        moved: true,
        sends: 3,
        lookups: 2,
        updated_at: NOW.plus(std::time::Duration::from_millis(1)),
        due_at: Timestamp::from_millis(i64::MAX),
        history: vec![
            Record { at: NOW, what: Happened::Broke, path: None, cause: Some(cause) },
            Record { at: NOW, what: Happened::Accepted, path: Some(crate::Path::Steer), cause: None },
        ],
        ..row.clone()
    }
}

async fn set(outbox: &impl Outbox, next: &Row, notice: Option<&Row>) -> bool {
    match outbox.compare_and_set(next, notice).await {
        Ok(written) => written,
        Err(error) => unreachable!("the store must write: {error:?}"),
    }
}

async fn got(outbox: &impl Outbox, seq: u64) -> Option<Row> {
    match outbox.get(seq).await {
        Ok(row) => row,
        Err(error) => unreachable!("the store must read: {error:?}"),
    }
}

async fn rows_come_back_whole(outbox: &impl Outbox) {
    let first = kept(outbox, row("agent:a:main", "run/1 ü")).await;
    assert!(first.seq > 0, "numbers begin at 1");
    assert_eq!(got(outbox, first.seq).await.as_ref(), Some(&first));
    let next = full(&first);
    assert!(set(outbox, &next, None).await);
    assert_eq!(got(outbox, first.seq).await.as_ref(), Some(&next));
    assert_eq!(outbox.find(&next.key).await.ok().flatten(), Some(next));
    assert_eq!(got(outbox, first.seq + 1).await, None);
}

async fn a_key_is_kept_once(outbox: &impl Outbox) {
    let first = kept(outbox, row("s", "r")).await;
    let mut again = row("s", "r");
    again.envelope = Envelope::result("elsewhere", "another text");
    assert_eq!(outbox.prepare(&again).await.ok(), Some(Prepared::Existing(first)));
    let other = kept(outbox, row("s", "r2")).await;
    assert!(other.seq > 1, "numbers grow");
}

async fn one_of_two_writers_wins(outbox: &impl Outbox) {
    let first = kept(outbox, row("s", "r")).await;
    let ours = full(&first);
    let theirs = Row { sends: 9, ..full(&first) };
    assert!(set(outbox, &ours, None).await);
    assert!(!set(outbox, &theirs, None).await, "the version was taken");
    assert!(!set(outbox, &Row { version: 9, ..theirs }, None).await, "a version from nowhere");
    assert_eq!(got(outbox, first.seq).await, Some(ours));
    assert!(!set(outbox, &Row { seq: first.seq + 7, ..full(&first) }, None).await, "no such row");
}

async fn a_notice_is_kept_with_its_row_or_not_at_all(outbox: &impl Outbox) {
    let first = kept(outbox, row("s", "r")).await;
    // The plan makes a true pair: a send that is refused for good.
    let due = plan(&first, &Evidence { event: Event::Due, pause: std::time::Duration::ZERO }, NOW, &limits());
    let Some(sending) = due.row else { unreachable!("a new row is sent") };
    assert!(set(outbox, &sending, None).await);
    let error = crate::SendError::new(moorline_taxonomy::Mark::new(moorline_taxonomy::Delivery::TargetGone));
    let event = Event::Sent(Err(error.failure().clone()));
    let step = plan(&sending, &Evidence { event, pause: std::time::Duration::ZERO }, NOW, &limits());
    let (Some(rejected), Some(notice)) = (step.row, step.notice) else { unreachable!("it is given up") };
    let stale = Row { version: rejected.version + 1, ..rejected.clone() };
    assert!(!set(outbox, &stale, Some(&notice)).await);
    assert_eq!(
        outbox.find(&notice.key).await.ok(),
        Some(None),
        "the row was not written, so neither is the notice"
    );
    assert!(set(outbox, &rejected, Some(&notice)).await);
    let found = outbox.find(&notice.key).await.ok().flatten();
    assert_eq!(
        found.map(|found| (found.state, found.envelope)),
        Some((State::Prepared, notice.envelope.clone()))
    );
    // Given up again after an operator's retry: the requester has been told.
    let again = Row { version: rejected.version + 1, ..rejected };
    assert!(set(outbox, &again, Some(&notice)).await, "a notice that is kept already is no conflict");
}

async fn due_rows_come_in_order_and_without_the_busy(outbox: &impl Outbox) {
    let second = std::time::Duration::from_secs(1);
    let make = |requester, run, channel: &str, due_at, state| Row {
        envelope: Envelope::result(requester, "text").through(channel),
        due_at,
        state,
        ..row(requester, run)
    };
    let late = kept(outbox, make("a", "1", "x", NOW, State::Prepared)).await;
    let early = kept(outbox, make("b", "2", "y", NOW.minus(second), State::Uncertain)).await;
    let tie = kept(outbox, make("c", "3", "", NOW, State::Prepared)).await;
    let future = kept(outbox, make("d", "4", "", NOW.plus(second), State::Prepared)).await;
    for (run, state) in
        [("5", State::Sending), ("6", State::Delivered), ("7", State::Expired), ("8", State::Silent)]
    {
        kept(outbox, make("e", run, "", NOW, state)).await;
    }
    let due = async |busy: &Busy, limit| match outbox.due(NOW, busy, limit).await {
        Ok(rows) => rows.into_iter().map(|row| row.seq).collect::<Vec<_>>(),
        Err(error) => unreachable!("the store must read: {error:?}"),
    };
    let nobody = Busy::default();
    assert_eq!(due(&nobody, 9).await, [early.seq, late.seq, tie.seq]);
    assert_eq!(due(&nobody, 2).await, [early.seq, late.seq]);
    assert!(due(&nobody, 0).await.is_empty());
    let busy = Busy { requesters: vec!["b".into(), "zz".into()], channels: vec!["x".into()] };
    assert_eq!(due(&busy, 9).await, [tie.seq]);
    assert_eq!(outbox.next_due(NOW).await.ok(), Some(Some(future.due_at)));
    assert_eq!(outbox.next_due(future.due_at).await.ok(), Some(None));
}

async fn a_clock_that_went_back_makes_rows_due(outbox: &impl Outbox) {
    let hour = std::time::Duration::from_secs(3600);
    let row = Row { due_at: NOW.plus(hour), updated_at: NOW.plus(hour), ..row("s", "r") };
    let row = kept(outbox, row).await;
    let due = outbox.due(NOW, &Busy::default(), 9).await.unwrap_or_default();
    assert_eq!(due, [row], "a row written after now was written on another clock");
}

async fn lists_are_filtered_and_paged(outbox: &impl Outbox) {
    for run in ["1", "2", "3", "4"] {
        let requester = if run == "4" { "b" } else { "a" };
        let state = if run == "2" { State::Delivered } else { State::Prepared };
        kept(outbox, Row { state, ..row(requester, run) }).await;
    }
    let runs = async |filter: Filter| match outbox.list(&filter).await {
        Ok(rows) => rows.into_iter().map(|row| row.key.child_run().to_owned()).collect::<Vec<_>>(),
        Err(error) => unreachable!("the store must read: {error:?}"),
    };
    assert_eq!(runs(Filter::default()).await, ["1", "2", "3", "4"]);
    let prepared = Filter { states: vec![State::Prepared, State::Silent], ..Filter::default() };
    assert_eq!(runs(prepared.clone()).await, ["1", "3", "4"]);
    assert_eq!(runs(Filter { requester: Some("a".into()), ..prepared.clone() }).await, ["1", "3"]);
    assert_eq!(runs(Filter { limit: Some(2), ..prepared.clone() }).await, ["1", "3"]);
    let first = outbox.list(&Filter { limit: Some(1), ..Filter::default() }).await.unwrap_or_default();
    let after = first.first().map_or(0, |row| row.seq);
    assert_eq!(runs(Filter { after, ..prepared }).await, ["3", "4"]);
}

async fn rows_are_counted_by_state(outbox: &impl Outbox) {
    assert_eq!(outbox.counts().await.unwrap_or_default(), [].into(), "nothing is counted in an empty outbox");
    for (number, state) in State::ALL.into_iter().enumerate() {
        for run in 0..=number {
            kept(outbox, Row { state, ..row("s", &format!("{number} {run}")) }).await;
        }
    }
    let expected = State::ALL.into_iter().zip(1..).collect();
    assert_eq!(outbox.counts().await.unwrap_or_default(), expected);
    let Some(first) = outbox.list(&Filter::default()).await.unwrap_or_default().into_iter().next() else {
        unreachable!("rows were kept")
    };
    let next = Row { state: State::Delivered, version: first.version + 1, ..first };
    assert!(set(outbox, &next, None).await);
    let counts = outbox.counts().await.unwrap_or_default();
    assert_eq!((counts.get(&State::Prepared), counts.get(&State::Delivered)), (None, Some(&5)));
}

async fn only_old_settled_rows_are_forgotten(outbox: &impl Outbox) {
    let second = std::time::Duration::from_secs(1);
    let settled = |run, state, at| Row { state, settled_at: at, ..row("s", run) };
    let old = kept(outbox, settled("old", State::Delivered, Some(NOW.minus(second)))).await;
    let new = kept(outbox, settled("new", State::Expired, Some(NOW))).await;
    let open = kept(outbox, settled("open", State::Prepared, None)).await;
    assert_eq!(outbox.forget(NOW).await.ok(), Some(1));
    assert_eq!(got(outbox, old.seq).await, None);
    assert!(got(outbox, new.seq).await.is_some() && got(outbox, open.seq).await.is_some());
    let next = kept(outbox, row("s", "next")).await;
    assert!(next.seq > open.seq, "a number is never used again");
}
