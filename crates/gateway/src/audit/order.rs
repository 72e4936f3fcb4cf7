//! The order of writers: no entry was written by a run that did not know the entry before it.
//!
//! Each step of a conversation names its parent, the step that its writer took for the last one. So the transcript itself
//! tells what each writer knew: a writer that had lost the session, or that wrote while another held it, names an older
//! step, and two steps then have the same one before them. The option not taken is a number per acquisition in each
//! entry; it would say the same, and only of writers that keep to it.

use std::collections::{HashMap, HashSet};

use super::transcripts::Entry;

/// What the order of one transcript says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Order<'a> {
    /// Steps of the conversation.
    pub(crate) steps: usize,
    /// Steps that do not follow the step before them: places in the file, from one.
    pub(crate) out_of_order: Vec<usize>,
    /// Entries of others that a run met on its way back and went on beside.
    pub(crate) merged: usize,
    /// Runs that wrote again after another had continued the session, one for each time.
    pub(crate) went_on: Vec<&'a str>,
    /// Runs that wrote again after they had settled their turn, one for each entry.
    pub(crate) after_its_end: Vec<&'a str>,
}

/// Walks a transcript in the order of the file.
pub(crate) fn order(entries: &[Entry]) -> Order<'_> {
    let mut order = Order::default();
    // The last step on the way to each entry, and the step that the file ends with so far.
    let mut step_of: HashMap<&str, Option<usize>> = HashMap::new();
    let mut last: Option<usize> = None;
    let mut others_since = 0;
    // What each run that has taken a step knew as the last one when it wrote.
    let mut knew: HashMap<&str, Option<usize>> = HashMap::new();
    let mut settled: HashSet<&str> = HashSet::new();
    for (place, entry) in entries.iter().enumerate() {
        let before = match &entry.parent {
            Some(parent) => step_of.get(parent.as_str()).copied().flatten(),
            None => None,
        };
        let mut own = before;
        let run = entry.run.as_deref().filter(|_| !entry.appended);
        if let Some(run) = run
            && knew.get(run).is_some_and(|known| *known != last)
        {
            order.went_on.push(run);
            knew.insert(run, last);
        }
        if let Some(run) = run {
            if settled.contains(run) {
                order.after_its_end.push(run);
            } else if entry.settled.is_some() {
                settled.insert(run);
            }
        }
        if entry.is_step() {
            order.steps += 1;
            if before != last {
                order.out_of_order.push(place + 1);
            }
            if run.is_some() && run == last.and_then(|last| entries[last].run.as_deref()) {
                order.merged += others_since;
            }
            (own, last, others_since) = (Some(place), Some(place), 0);
            if let Some(run) = run {
                knew.insert(run, last);
            }
        } else if entry.kind == "leaf" {
            // The session was moved on purpose; the next step follows from there.
            last = entry.target.as_deref().and_then(|target| step_of.get(target).copied().flatten());
        } else if entry.kind != "session" && run != last.and_then(|last| entries[last].run.as_deref()) {
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
                run: (run != "-").then(|| run.to_owned()),
                written_as: Some(if metadata { "metadata" } else { "turn" }.to_owned()),
                ..Entry::default()
            }
        });
        entries.collect()
    }

    #[test]
    fn steps_that_follow_each_other_are_in_order() {
        for (text, merged, went_on) in [
            ("1<-:a 2<1:a 3<2:b 4<3:b", 0, &[][..]),
            // A note of another run beside ours, one of another program, and one that the next turn follows.
            ("1<-:a +n<1:b +p<n:- 2<1:a +m<2:a 3<m:b", 2, &[]),
            // Taken over after its message, begun again behind the other's turn, which may be another program's.
            ("1<-:a 2<1:b 3<2:b 4<3:a", 0, &["a"]),
            ("1<-:a 2<1:- 3<2:a", 0, &["a"]),
            // A note of a run that was taken over is a write of it, too.
            ("1<-:a 2<1:b +n<2:a", 0, &["a"]),
        ] {
            let entries = read(text);
            let order = order(&entries);
            assert_eq!(order.out_of_order, [0; 0], "{text}");
            assert_eq!((order.merged, &order.went_on[..]), (merged, went_on), "{text}");
        }
    }

    #[test]
    fn a_run_that_writes_after_it_has_settled_its_turn_is_found() {
        let mut entries = read("1<-:a 2<1:a 3<2:a");
        entries[1].settled = Some("replied".to_owned());
        assert_eq!(order(&entries).after_its_end, ["a"]);
        // What an operator appends in the run's name is no write of the run.
        entries[2].appended = true;
        assert_eq!(order(&entries).after_its_end, [""; 0]);
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
