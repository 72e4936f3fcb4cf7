//! Whether an attempt is followed by another one: a pure function of its error.
//!
//! What must stay true: only an error that the gateway gave as an error reaches [`verdict`]. A reply, a transcript or a
//! mismatch that has lock words in it is none.

use moorline_retry::Judgement;
use moorline_taxonomy::QaVerdict;

use super::attempt_error::AttemptError;
use crate::{ErrorMatch, verdict};

/// `expected` is the error that the scenario asks for: when it comes, there is nothing to try again.
pub(super) fn judge(error: &AttemptError, expected: Option<&ErrorMatch>) -> Judgement {
    match error {
        AttemptError::Final(_) => Judgement::Stop,
        AttemptError::Refused(remote) => {
            let wire = remote.wire();
            let as_expected = expected.is_some_and(|expected| wire.code.known() == Some(expected.code));
            match verdict(wire) {
                QaVerdict::Retry if !as_expected => Judgement::Retry { after: wire.retry_after() },
                QaVerdict::Retry | QaVerdict::Fail => Judgement::Stop,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use moorline_taxonomy::{Code, Coordination, Effect, Wire, policy};

    use super::*;
    use crate::{Failure, Mismatch};

    fn refused(code: Code, effect: Effect) -> AttemptError {
        let mut wire = Wire::new(code, "session file locked (timeout 60000ms)");
        wire.effect = effect;
        AttemptError::refused(wire)
    }

    #[test]
    fn the_policy_table_decides_for_every_code_and_effect() {
        for code in Code::all() {
            for effect in Effect::ALL {
                let again = matches!(judge(&refused(code, effect), None), Judgement::Retry { .. });
                assert_eq!(again, policy(code, effect).qa == QaVerdict::Retry, "{code} {effect:?}");
            }
        }
    }

    #[test]
    fn an_expected_contention_is_not_tried_again_and_another_one_is() {
        let stale = refused(Coordination::LockStale.into(), Effect::None);
        let expects = |code: Coordination| Some(ErrorMatch { code: code.into() });
        assert_eq!(judge(&stale, expects(Coordination::LockStale).as_ref()), Judgement::Stop);
        assert_eq!(judge(&stale, expects(Coordination::LockLost).as_ref()), Judgement::Retry { after: None });
    }

    #[test]
    fn what_the_harness_found_is_final_whatever_it_says() {
        let lock_words = "coordination.lock_timeout: session file locked";
        let mismatch =
            Mismatch { field: lock_words.into(), expected: lock_words.into(), actual: lock_words.into() };
        let contended = Wire::new(Coordination::LockTimeout, lock_words);
        let text = || lock_words.to_owned();
        for failure in [
            Failure::Assertion { mismatches: vec![mismatch] },
            Failure::Answer { method: text(), problem: text() },
            Failure::NoAnswer { method: text(), after_ms: 1 },
            Failure::WaitedInVain { what: text(), after_ms: 1, seen: text() },
            Failure::Deadline { deadline_ms: 1 },
            Failure::Error { error: Box::new(contended), gave_up: None },
            Failure::NoContention,
            Failure::Cancelled,
        ] {
            assert_eq!(judge(&failure.into(), None), Judgement::Stop);
        }
    }
}
