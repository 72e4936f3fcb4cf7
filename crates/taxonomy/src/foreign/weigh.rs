//! From what the walk saw to what the error is.
//!
//! The decision, in order (docs/taxonomy.md prints it):
//! 1. a coordination error that no provider's answer stands around: by structure before by text, then the outermost; of
//!    equals a takeover before contention, since retrying a run that was superseded does harm and the reverse only waits;
//!    between the two stands a wire form of ours, whatever its class: a message that quotes lock words beside it is text;
//! 2. an error of ours or a structured fact of this machine, the outermost;
//! 3. a provider's answer;
//! 4. a name or a sentence that hints at this machine or this program, the outermost;
//! 5. an abort that says nothing of its reason;
//! 6. a provider that was called;
//! 7. nothing.
//!
//! So one candidate of a mixed summary that failed by a coordination error makes the whole a coordination error: the
//! session is contended whatever the other candidates answered, and another walk over them would meet the same lock. The
//! option not taken is the majority, or the last candidate.
//!
//! What must stay true: pure, and total over what the walk can see.

use super::{
    Found, Inspection, Reading,
    sighting::{Sighting, Sightings},
    word::Weight,
};
use crate::{Code, Coordination, Domain, Effect, foreign::Evidence};

/// What the error is.
pub(super) fn weigh(sightings: Sightings<'_>) -> Inspection<'_> {
    let all = || {
        sightings
            .seen
            .iter()
            .filter(|sighting| !sighting.void)
            .map(|sighting| found(sighting, sightings.effect))
    };
    let reading = match (decide(&sightings), sightings.layer) {
        (Decision::Ours(sighting), _) => Reading::Ours(found(sighting, sightings.effect)),
        (Decision::Provider, Some(layer)) => Reading::Provider { layer, beside: all().collect() },
        (Decision::Provider | Decision::Unknown, _) => Reading::Unknown,
    };
    Inspection { reading, found: all().collect(), cut: sightings.cut }
}

enum Decision<'s> {
    /// This sighting.
    Ours(&'s Sighting),
    Provider,
    Unknown,
}

fn decide<'s>(sightings: &'s Sightings<'_>) -> Decision<'s> {
    let outermost = |is: &dyn Fn(&Sighting) -> bool| {
        let bare = sightings.seen.iter().filter(|sighting| !sighting.shielded && !sighting.void);
        bare.filter(|sighting| is(sighting))
            .min_by_key(|sighting| (sighting.depth, is_contention(sighting.meaning.code)))
            .map(Decision::Ours)
    };
    // The prompt's own error stays the primary one, if a provider answered the prompt.
    let secondary = |sighting: &Sighting| sighting.after_prompt && sightings.prompt_answered;
    let coordination = |sighting: &Sighting| is_coordination(sighting) && !secondary(sighting);
    let other =
        |sighting: &Sighting, weight: Weight| !is_coordination(sighting) && sighting.meaning.weight == weight;
    let answered = || (sightings.answers > 0).then_some(Decision::Provider);
    let called = || sightings.layer.map(|_| Decision::Provider);
    outermost(&|sighting| coordination(sighting) && sighting.evidence < Evidence::Text)
        .or_else(|| outermost(&|sighting| sighting.evidence == Evidence::Wire && !secondary(sighting)))
        .or_else(|| outermost(&coordination))
        .or_else(|| outermost(&|sighting| other(sighting, Weight::Own) || other(sighting, Weight::Fact)))
        .or_else(answered)
        .or_else(|| outermost(&|sighting| other(sighting, Weight::Hint)))
        .or_else(|| outermost(&|sighting| other(sighting, Weight::Wrapper)))
        .or_else(called)
        .unwrap_or(Decision::Unknown)
}

fn is_coordination(sighting: &Sighting) -> bool {
    sighting.meaning.code.domain() == Domain::Coordination
}

/// Contention passes by itself; a takeover does not.
fn is_contention(code: Code) -> bool {
    match code {
        Code::Coordination(
            Coordination::LockTimeout
            | Coordination::LockStale
            | Coordination::LaneTimeout
            | Coordination::StorageBusy,
        ) => true,
        Code::Coordination(
            Coordination::LockLost | Coordination::SessionTakeover | Coordination::WriterSuperseded,
        )
        | Code::Cancelled(_)
        | Code::Local(_)
        | Code::Request(_)
        | Code::Provider(_)
        | Code::Delivery(_) => false,
    }
}

fn found(sighting: &Sighting, chain_effect: Effect) -> Found {
    Found {
        code: sighting.meaning.code,
        effect: sighting.meaning.effect.max(chain_effect),
        retry_after: sighting.retry_after,
        evidence: sighting.evidence,
        rule: sighting.meaning.rule,
    }
}
