//! Every metric: name, kind, labels and meaning. The page docs/metrics.md is this table, and a test compares them.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    pub(super) meaning: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, meaning }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, meaning }
}

const fn histogram(name: &'static str, meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, labels: &[], meaning }
}

pub(super) const LOCK_WAIT: &str = "moorline_lock_wait_seconds";
pub(super) const LOCK_HOLD: &str = "moorline_lock_hold_seconds";
pub(super) const LOCK_WAITERS: &str = "moorline_lock_waiters";
pub(super) const RECLAIMS: &str = "moorline_lock_reclaims_total";
pub(super) const STALE: &str = "moorline_lock_stale_reports_total";
pub(super) const LOCKS_ACQUIRED: &str = "moorline_locks_acquired_total";
pub(super) const LOCK_TIMEOUTS: &str = "moorline_lock_timeouts_total";
pub(super) const LOCKS_LOST: &str = "moorline_locks_lost_total";
pub(super) const HOLDS_EXCEEDED: &str = "moorline_lock_holds_exceeded_total";
pub(super) const SAFETY_TICKS: &str = "moorline_lock_safety_ticks_total";
pub(super) const RUNS_ACCEPTED: &str = "moorline_runs_accepted_total";
pub(super) const RUNS_ENDED: &str = "moorline_runs_ended_total";
pub(super) const TAKEOVERS: &str = "moorline_takeovers_total";
pub(super) const SENDS_ACCEPTED: &str = "moorline_sends_accepted_total";
pub(super) const SENDS_SETTLED: &str = "moorline_sends_settled_total";
pub(super) const SPAWNS_ACCEPTED: &str = "moorline_spawns_accepted_total";
pub(super) const ANNOUNCES: &str = "moorline_announces";
pub(super) const ANNOUNCES_DELIVERED: &str = "moorline_announces_delivered_total";
pub(super) const MODEL_CALLS: &str = "moorline_model_calls_total";
pub(super) const CANDIDATES_BURNED: &str = "moorline_candidates_burned_total";
pub(super) const COOLDOWNS: &str = "moorline_cooldowns_total";
pub(super) const LANES: &str = "moorline_lanes";
pub(super) const TURNS_OPEN: &str = "moorline_turns_open";
pub(super) const LANE_DEEPEST: &str = "moorline_lane_turns_max";
pub(super) const SENDS_OPEN: &str = "moorline_sends_open";
pub(super) const RPC_REQUESTS: &str = "moorline_rpc_requests_total";
pub(super) const MCP_CALLS: &str = "moorline_mcp_calls_total";
pub(super) const NOTICES_MISSED: &str = "moorline_event_notices_missed_total";

pub(super) const ALL: &[Metric] = &[
    histogram(LOCK_WAIT, "From asking for a session lock to having it"),
    histogram(LOCK_HOLD, "From having a session lock to letting it go"),
    gauge(LOCK_WAITERS, &[], "Runs that wait for a session lock now"),
    counter(LOCKS_ACQUIRED, &[], "Session locks acquired"),
    counter(
        RECLAIMS,
        &["reason"],
        "Locks of dead owners taken over; several proofs of the death are joined by +",
    ),
    counter(STALE, &["reason"], "Live stale locks reported and left in place"),
    counter(LOCK_TIMEOUTS, &[], "Locks that were not had in time"),
    counter(LOCKS_LOST, &[], "Locks lost while held: revoked, or replaced by another program"),
    counter(HOLDS_EXCEEDED, &[], "Own holds longer than maxHoldMs"),
    counter(SAFETY_TICKS, &[], "Times a wake-up was missed and a timer helped; more than zero is a defect"),
    counter(RUNS_ACCEPTED, &[], "Turns accepted"),
    counter(RUNS_ENDED, &["outcome"], "Turns ended: replied, parked, superseded, failed, cancelled"),
    counter(
        TAKEOVERS,
        &[],
        "Turns that another writer took the session from: ended, or begun again behind it",
    ),
    counter(SENDS_ACCEPTED, &[], "Sends accepted"),
    counter(SENDS_SETTLED, &["outcome"], "Sends settled: replied, failed"),
    counter(SPAWNS_ACCEPTED, &[], "Children accepted"),
    gauge(
        ANNOUNCES,
        &["state"],
        "Results of children in the outbox, by where they stand; settled ones are kept for 7 days",
    ),
    counter(ANNOUNCES_DELIVERED, &[], "Results that came into their requester's transcript"),
    counter(MODEL_CALLS, &["code"], "Calls of models, by the code they failed with, or ok"),
    counter(
        CANDIDATES_BURNED,
        &["code"],
        "Calls that count against their candidate: the provider was asked and failed",
    ),
    counter(COOLDOWNS, &["why"], "Cooldowns set or prolonged"),
    gauge(LANES, &[], "Sessions with a turn under way or waiting"),
    gauge(TURNS_OPEN, &[], "Turns under way or waiting, of all sessions"),
    gauge(LANE_DEEPEST, &[], "Turns under way or waiting in the fullest lane"),
    gauge(SENDS_OPEN, &[], "Sends accepted and not settled"),
    counter(RPC_REQUESTS, &["method", "code"], "Calls of methods, by the code they failed with, or ok"),
    counter(MCP_CALLS, &["tool", "code"], "Calls of MCP tools, by the code they failed with, or ok"),
    counter(NOTICES_MISSED, &[], "Event notices that listeners missed because they were too slow"),
];

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/metrics.md");

    fn row(metric: &Metric) -> String {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {kind} | {} | {} |", metric.name, labels.join(", "), metric.meaning)
    }

    #[test]
    fn the_page_is_this_table() {
        let rows: Vec<&str> = PAGE.lines().filter(|line| line.starts_with("| `moorline_")).collect();
        let expected: Vec<String> = ALL.iter().map(row).collect();
        assert_eq!(rows, expected, "the rows should be:\n{}", expected.join("\n"));
    }

    #[test]
    fn names_say_what_they_are() {
        for metric in ALL {
            assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
            assert_eq!(metric.kind == Kind::Histogram, metric.name.ends_with("_seconds"), "{}", metric.name);
        }
    }
}
