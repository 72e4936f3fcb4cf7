//! The order of writers: no entry was written by a run that did not know the entry before it.
//!
//! Each step of a conversation names its parent, the step that its writer took for the last one. So the transcript itself
//! tells what each writer knew: a writer that had lost the session, or that wrote while another held it, names an older
//! step, and two steps then have the same one before them. The option not taken is a number per acquisition in each
//! entry; it would say the same, and only of writers that keep to it.

use std::collections::HashMap;

use super::transcripts::Entry;

/// What the order of one transcript says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// Steps of the conversation.
    pub(crate) steps: usize,
    /// Steps that do not follow the step before them: places in the file, from one.
    pub(crate) out_of_order: Vec<usize>,
    /// Entries of others that a run met on its way back and went on beside.
    pub(crate) merged: usize,
    /// Times a run found that another had continued the session, and began again behind it.
    pub(crate) requeued: usize,
}

/// Walks a transcript in the order of the file.
pub(crate) fn order(entries: &[Entry]) -> Order {
    let mut order = Order::default();
    // The last step on the way to each entry, and the step that the file ends with so far.
    let mut step_of: HashMap<&str, Option<usize>> = HashMap::new();
    let mut last: Option<usize> = None;
    let mut others_since = 0;
    let mut seen: HashMap<&str, ()> = HashMap::new();
    for (place, entry) in entries.iter().enumerate() {
        let before = match &entry.parent {
            Some(parent) => step_of.get(parent.as_str()).copied().flatten(),
            None => None,
        };
        let mut own = before;
        if entry.is_step() {
            order.steps += 1;
            if before != last {
                order.out_of_order.push(place + 1);
            }
            let run = entry.run.as_deref();
            let run_before = last.and_then(|last| entries[last].run.as_deref());
            if let Some(run) = run {
                if run_before == Some(run) {
                    order.merged += others_since;
                } else if seen.contains_key(run) {
                    order.requeued += 1;
                }
                seen.insert(run, ());
            }
            (own, last, others_since) = (Some(place), Some(place), 0);
        } else if entry.kind == "leaf" {
            // The session was moved on purpose; the next step follows from there.
            last = entry.target.as_deref().and_then(|target| step_of.get(target).copied().flatten());
        } else if entry.run.is_some() && entry.run != last.and_then(|last| entries[last].run.clone()) {
            others_since += 1;
        }
        if let Some(id) = &entry.id {
            step_of.insert(id, own);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries as `id<parent by run`, with `+` before metadata.
    fn read(text: &str) -> Vec<Entry> {
        let entries = text.split_whitespace().map(|word| {
            let (metadata, word) = match word.strip_prefix('+') {
                Some(word) => (true, word),
                None => (false, word),
            };
            let (id, rest) = word.split_once('<').unwrap();
            let (parent, run) = rest.split_once(':').unwrap();
            Entry {
                kind: if metadata { "custom" } else { "message" }.to_owned(),
                id: Some(id.to_owned()),
                parent: (parent != "-").then(|| parent.to_owned()),
                run: Some(run.to_owned()),
                written_as: Some(if metadata { "metadata" } else { "turn" }.to_owned()),
                ..Entry::default()
            }
        });
        entries.collect()
    }

    #[test]
    fn steps_that_follow_each_other_are_in_order() {
        for (text, merged, requeued) in [
            ("1<-:a 2<1:a 3<2:b 4<3:b", 0, 0),
            // A note of another run beside ours, and one that the next turn follows.
            ("1<-:a +n<1:b 2<1:a +m<2:a 3<m:b", 1, 0),
            // Taken over after its message, begun again behind the other's turn.
            ("1<-:a 2<1:b 3<2:b 4<3:a", 0, 1),
        ] {
            let order = order(&read(text));
            assert_eq!(order.out_of_order, [0; 0], "{text}");
            assert_eq!((order.merged, order.requeued), (merged, requeued), "{text}");
        }
    }

    #[test]
    fn a_writer_that_did_not_know_the_step_before_is_found() {
        for (text, found) in [
            // Written after a takeover: `a` goes on from its own message as if `b` had not been there.
            ("1<-:a 2<1:b 3<2:b 4<1:a", 4),
            // Two at once.
            ("1<-:a 2<1:b 3<1:a", 3),
            ("1<-:a 2<-:b", 2),
            // The parent is not in the file at all.
            ("1<-:a 2<x:a", 2),
        ] {
            assert_eq!(order(&read(text)).out_of_order, [found], "{text}");
        }
    }
}
