//! The policy table equals the one in the design, written here by hand.
//!
//! Not generated from the function: a table that is printed from what it checks cannot be wrong.

use moorline_taxonomy::{AnnounceVerdict, Code, Effect, Verdicts, policy};

/// Codes, then runner, failover, prompt cache, announce and QA, for a failed call without effect.
const TABLE: &str = "
coordination.lock_timeout      surface   stop    propagate  retry      retry
coordination.lock_stale        surface   stop    propagate  retry      retry
coordination.lane_timeout      surface   stop    propagate  retry      retry
coordination.storage_busy      surface   stop    propagate  retry      retry
coordination.session_takeover  takeover  stop    propagate  reconcile  fail
coordination.writer_superseded takeover  stop    propagate  reconcile  fail
coordination.lock_lost         takeover  stop    propagate  reconcile  fail
cancelled.user                 stop      stop    propagate  stop       fail
cancelled.client_gone          stop      stop    propagate  stop       fail
cancelled.shutdown             stop      stop    propagate  stop       fail
local.disk_full                surface   stop    ignore     permanent  fail
local.permission               surface   stop    ignore     permanent  fail
local.tls_trust                surface   stop    ignore     permanent  fail
local.config                   surface   stop    ignore     permanent  fail
local.unsupported_filesystem   surface   stop    ignore     permanent  fail
local.bug                      surface   stop    ignore     permanent  fail
local.unclassified             surface   stop    ignore     permanent  fail
request.context_overflow       repair    repair  ignore     permanent  fail
request.payload_too_large      repair    repair  ignore     permanent  fail
request.replay_invalid         repair    repair  ignore     permanent  fail
request.unsatisfiable          repair    repair  ignore     permanent  fail
request.format                 surface   stop    ignore     permanent  fail
request.content_policy         surface   stop    ignore     permanent  fail
provider.rate_limit            wait      next    ignore     retry      fail
provider.overloaded            retry     next    ignore     retry      fail
provider.server_error          retry     next    ignore     retry      fail
provider.timeout               retry     next    ignore     retry      fail
provider.empty_response        retry     next    ignore     retry      fail
provider.billing               surface   next    ignore     permanent  fail
provider.auth                  surface   next    ignore     permanent  fail
provider.auth_permanent        surface   next    ignore     permanent  fail
provider.model_not_found       surface   next    ignore     permanent  fail
provider.session_expired       repair    next    ignore     permanent  fail
provider.unknown               retry     next    ignore     none       fail
delivery.rate_limited          stop      stop    ignore     retry      fail
delivery.transient             stop      stop    ignore     retry      fail
delivery.pending               stop      stop    ignore     retry      fail
delivery.target_gone           stop      stop    ignore     permanent  fail
delivery.auth                  stop      stop    ignore     permanent  fail
delivery.payload               stop      stop    ignore     permanent  fail
delivery.uncertain             stop      stop    ignore     reconcile  fail
delivery.target_moved          stop      stop    ignore     reconcile  fail
";

fn words(verdicts: Verdicts) -> [&'static str; 5] {
    let Verdicts { runner, failover, prompt_cache, announce, qa } = verdicts;
    [runner.as_str(), failover.as_str(), prompt_cache.as_str(), announce.as_str(), qa.as_str()]
}

#[test]
fn the_table_is_the_design_s() {
    let mut rows = TABLE.lines().filter(|line| !line.is_empty()).map(|line| {
        let mut cells = line.split_whitespace();
        let code: Code = cells.next().expect("a code").parse().expect("a code of ours");
        (code, cells.collect::<Vec<_>>())
    });
    let mut left: Vec<Code> = Code::all().collect();
    for (code, cells) in &mut rows {
        assert_eq!(words(policy(code, Effect::None)).as_slice(), cells, "{code}");
        let before = left.len();
        left.retain(|other| *other != code);
        assert_eq!(left.len() + 1, before, "{code} stands once");
    }
    assert_eq!(left, [], "codes without a row");
}

#[test]
fn an_effect_turns_announce_s_retry_into_reconcile_and_nothing_else() {
    for code in Code::all() {
        let none = policy(code, Effect::None);
        for effect in [Effect::Possible, Effect::Done] {
            let announce = match none.announce {
                AnnounceVerdict::Retry => AnnounceVerdict::Reconcile,
                other @ (AnnounceVerdict::Permanent
                | AnnounceVerdict::Reconcile
                | AnnounceVerdict::Stop
                | AnnounceVerdict::None) => other,
            };
            assert_eq!(policy(code, effect), Verdicts { announce, ..none }, "{code} {effect:?}");
        }
    }
}

#[test]
fn only_contention_is_retried_by_qa_and_nothing_outside_a_provider_s_call_goes_to_the_next_candidate() {
    for code in Code::all() {
        let verdicts = policy(code, Effect::None);
        let retried = verdicts.qa.as_str() == "retry";
        let contention = [
            "coordination.lock_timeout",
            "coordination.lock_stale",
            "coordination.lane_timeout",
            "coordination.storage_busy",
        ]
        .contains(&code.to_string().as_str());
        assert_eq!(retried, contention, "{code}");
        assert_eq!(verdicts.failover.as_str() == "next", code.domain().as_str() == "provider", "{code}");
    }
}
