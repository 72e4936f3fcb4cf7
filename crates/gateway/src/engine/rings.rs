//! Which sessions wait for which: a ring of turns that wait for each other would wait until their deadlines.
//!
//! A turn keeps its session's lane while a tool of it waits for another session's turn. A send that would close a ring is
//! therefore accepted and not waited for; its reply comes later, as a turn. The option not taken, to hand each send the
//! sessions above it, would miss the rings that several turns close together, each of which was asked for by itself.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::session_key::SessionKey;

/// Who waits for whom, as often as it is so.
#[derive(Default)]
pub(super) struct Rings {
    all: Mutex<HashMap<SessionKey, Vec<SessionKey>>>,
}

impl Rings {
    /// `from` waits for `to`, until the guard is dropped. With `in_turn`, a turn of `from` does: then `None`, and nothing is
    /// noted, when `to` waits for `from`, itself or by others.
    pub(super) fn enter(&self, from: &SessionKey, to: &SessionKey, in_turn: bool) -> Option<Waiting<'_>> {
        let mut all = self.lock();
        if in_turn && reaches(&all, to, from) {
            return None;
        }
        all.entry(from.clone()).or_default().push(to.clone());
        Some(Waiting { rings: self, from: from.clone(), to: to.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Vec<SessionKey>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reaches(all: &HashMap<SessionKey, Vec<SessionKey>>, from: &SessionKey, to: &SessionKey) -> bool {
    let (mut next, mut seen) = (vec![from], HashSet::new());
    while let Some(session) = next.pop() {
        if session == to {
            return true;
        }
        if seen.insert(session) {
            next.extend(all.get(session).into_iter().flatten());
        }
    }
    false
}

/// A session waits for another one.
pub(super) struct Waiting<'a> {
    rings: &'a Rings,
    from: SessionKey,
    to: SessionKey,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut all = self.rings.lock();
        let Some(of) = all.get_mut(&self.from) else { return };
        if let Some(place) = of.iter().position(|to| *to == self.to) {
            of.swap_remove(place);
        }
        if of.is_empty() {
            all.remove(&self.from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> SessionKey {
        format!("agent:main:{name}").parse().unwrap()
    }

    #[test]
    fn a_ring_is_not_closed_however_many_turns_it_has_and_whoever_began() {
        let rings = Rings::default();
        let enter = |from: &str, to: &str| rings.enter(&key(from), &key(to), true);
        assert!(enter("a", "a").is_none(), "a turn that waits for itself");
        // Two turns that were asked for apart, and the pair that joins them.
        let (_a, _c) = (enter("a", "b").unwrap(), enter("c", "d").unwrap());
        let joined = enter("b", "c").unwrap();
        for (from, to) in [("d", "a"), ("d", "b"), ("c", "a"), ("b", "a")] {
            assert!(enter(from, to).is_none(), "{from} waits for {to}");
        }
        // Side by side is no ring.
        assert!(enter("a", "d").is_some() && enter("e", "a").is_some());
        drop(joined);
        assert!(enter("d", "a").is_some());
    }

    #[test]
    fn a_caller_who_has_no_turn_may_wait_and_what_is_over_is_forgotten() {
        let rings = Rings::default();
        let (desk, other) = (key("desk"), key("other"));
        let (first, second) = (rings.enter(&desk, &other, false), rings.enter(&desk, &other, true));
        assert!(rings.enter(&other, &desk, true).is_none());
        assert!(rings.enter(&other, &desk, false).is_some());
        drop(first);
        assert!(rings.enter(&other, &desk, true).is_none(), "the second one rings on");
        drop(second);
        assert!(rings.lock().is_empty());
    }
}
