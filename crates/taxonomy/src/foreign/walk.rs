//! The walk: breadth first over layers and texts, with a bound on everything.
//!
//! Breadth first, because the outermost error decides and the bounds then cut what is deepest. The option not taken is
//! recursion with a depth limit: a chain of 10^5 causes is legal in memory, and its first hundreds must be read.
//!
//! The numbers. [`MAX_NODES`] 2,048 objects, strings and lists: a real error has under a hundred (sixty causes deep at the
//! worst seen), and a chain as deep as `moorline classify` reads, 1,024 levels, is read to its end in 2 ms.
//! [`MAX_KEY_SUM`] 8,192 keys: eight for each of those levels. [`text::MAX_TEXT`] 4 KiB of one text and
//! [`MAX_TEXT_SUM`] 16 KiB of all: an error's own words come first. [`MAX_JSON_SUM`] 8 KiB of JSON taken out of texts,
//! nested at most [`MAX_EMBEDDED`] deep: clients encode an answer into a message, and that into another, twice at most.
//! [`MAX_LIST`] 64 entries of one list: a wide list must not starve the `cause` beside it.
//!
//! What must stay true: the only recursion is into JSON taken out of text, four deep, and that JSON is itself no deeper
//! than `serde_json` parses (128), so that dropping it is safe.

use std::collections::VecDeque;

use serde_json::Value;

use super::{
    Evidence,
    above::Above,
    evidence::{self, Shows},
    layer::Layer,
    sighting::{Sighting, Sightings},
    structure::{is_timeout_abort, structure},
    text::{self, Said},
    word::{Meaning, Weight, Word},
};
use crate::Effect;

/// Objects, strings and lists looked at.
pub(super) const MAX_NODES: usize = 2 * 1024;
/// Keys looked at, all objects together.
const MAX_KEY_SUM: usize = 8 * 1024;
/// Entries of one list.
const MAX_LIST: usize = 64;
/// Bytes of text looked at, all texts together.
const MAX_TEXT_SUM: usize = 16 * 1024;
/// Bytes of JSON parsed out of texts, all together.
const MAX_JSON_SUM: usize = 8 * 1024;
/// How deep JSON inside text inside JSON is followed.
const MAX_EMBEDDED: u8 = 4;

/// One node to look at.
#[derive(Clone, Copy)]
struct Node<'v, 'a> {
    value: &'v Value,
    /// Where a text's evidence is reported: the object that has the text.
    host: &'a Value,
    depth: u32,
    above: Above,
}

/// Where evidence met in a value is reported: the value itself, or its host if the value was taken out of a text.
type Report<'f, 'v, 'a> = &'f dyn Fn(&'v Value, &'a Value) -> &'a Value;

/// Walks over `value`, over at most `budget` nodes of it; takes those it looked at off the budget.
pub(super) fn walk<'a>(value: &'a Value, budget: &mut usize) -> Sightings<'a> {
    let nodes = MAX_NODES.min(*budget);
    let mut walker = Walker {
        sightings: Sightings::default(),
        nodes,
        keys: MAX_KEY_SUM,
        text: MAX_TEXT_SUM,
        json: MAX_JSON_SUM,
    };
    let root = Node { value, host: value, depth: 0, above: Above::default() };
    walker.breadth_first(root, &|value, _| value, 0);
    *budget -= nodes - walker.nodes;
    walker.sightings
}

struct Walker<'a> {
    sightings: Sightings<'a>,
    nodes: usize,
    keys: usize,
    text: usize,
    json: usize,
}

impl<'a> Walker<'a> {
    fn breadth_first<'v>(&mut self, root: Node<'v, 'a>, report: Report<'_, 'v, 'a>, embedded: u8) {
        let mut queue = VecDeque::from([root]);
        let mut carried = Vec::new();
        while let Some(node) = queue.pop_front() {
            if self.nodes == 0 {
                self.sightings.cut = true;
                return;
            }
            self.nodes -= 1;
            match node.value {
                Value::String(text) => {
                    self.text(text, node.host, node.depth, node.above, embedded);
                }
                Value::Array(items) => {
                    self.sightings.cut |= items.len() > MAX_LIST;
                    for value in items.iter().take(MAX_LIST) {
                        // A string in a list is a layer of its own; an object is one anyway.
                        self.later(&mut queue, Node { value, host: report(value, node.host), ..node });
                    }
                }
                Value::Object(object) => {
                    let host = report(node.value, node.host);
                    carried.clear();
                    let layer = Layer::read(object, self.keys, &mut carried);
                    self.keys = self.keys.saturating_sub(object.len());
                    let beneath = self.layer(&layer, host, node.depth, node.above, embedded);
                    for (carrier, value) in &carried {
                        let above = beneath.carried_by(*carrier);
                        self.later(&mut queue, Node { value, host, depth: node.depth + 1, above });
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
    }

    /// Queues a node, unless the walk would end before its turn.
    fn later<'v>(&mut self, queue: &mut VecDeque<Node<'v, 'a>>, node: Node<'v, 'a>) {
        if queue.len() < self.nodes {
            queue.push_back(node);
        } else {
            self.sightings.cut = true;
        }
    }

    /// Looks at one object; says what stands above everything it carries.
    fn layer(&mut self, layer: &Layer<'_>, host: &'a Value, depth: u32, above: Above, embedded: u8) -> Above {
        self.sightings.cut |= layer.cut;
        // What any layer says of the call's effect is true of the call.
        let stated = if layer.sent { Effect::Done } else { layer.effect.unwrap_or_default() };
        self.sightings.effect = self.sightings.effect.max(stated);
        let named = structure(layer);
        let own = matches!(named, Some((Word::Means(Meaning { weight: Weight::Own, .. }), _)));
        let mut here = above;
        here.called |= layer.provider;
        here.channel |= layer.channel;
        here.url |= layer.url;
        let shown = evidence::shown(layer, here.channel && !here.called);
        here.called |= shown == Shows::Call;
        let answered = !own && shown == Shows::Answer;
        // The texts of an answer are the provider's.
        here.answered |= answered;
        here.words |= answered;
        match named {
            Some((Word::Means(meaning), by)) => here = self.named(layer, meaning, by, depth, above, here),
            Some((Word::Timeout, _)) => self.void_aborts(above.abort),
            Some((Word::Transport, _)) => {
                here.called |= here.url || layer.messages.iter().any(evidence::names_a_host);
            }
            Some((Word::Silent, _)) | None => {}
        }
        // Where the structure has spoken, its message adds nothing: appending words to it must not change the class.
        let spoken = matches!(named, Some((Word::Means(meaning), _)) if meaning.weight <= Weight::Fact);
        if !spoken || here.words {
            let hinted = matches!(named, Some((Word::Means(meaning), _)) if meaning.weight == Weight::Hint);
            let before = self.sightings.seen.len();
            for message in layer.messages.iter() {
                let said = self.text(message, host, depth, Above { hinted, ..here }, embedded);
                here = Above { answered: said.answered, words: said.words, called: said.called, ..here };
            }
            // A delay beside the message is the delay of what the message says.
            for sighting in self.sightings.seen.iter_mut().skip(before) {
                sighting.retry_after = sighting.retry_after.or(layer.retry_after);
            }
        }
        if answered {
            self.evidence(host, true, here);
        } else if here.called && !above.called {
            self.evidence(host, false, here);
        }
        here
    }

    /// Notes what the structure of a layer means; says what stands above the rest of it.
    fn named(
        &mut self,
        layer: &Layer<'_>,
        meaning: Meaning,
        by: Evidence,
        depth: u32,
        above: Above,
        mut here: Above,
    ) -> Above {
        let wire = by == Evidence::Wire;
        let ours = wire && layer.domain.is_some() || meaning.weight == Weight::Own && by <= Evidence::Code;
        // A provider cannot answer in our words: behind the status stands a gateway, if no provider is named.
        let of_a_gateway = ours && here.body && !here.called && !here.settled;
        let abort = meaning.weight == Weight::Wrapper;
        if abort {
            here.abort = Some(self.sightings.seen.len());
        }
        self.sightings.seen.push(Sighting {
            meaning: Meaning { effect: layer.effect.unwrap_or(meaning.effect), ..meaning },
            evidence: by,
            retry_after: layer.retry_after,
            depth,
            shielded: here.shields() && !of_a_gateway,
            void: abort && is_timeout_abort(layer),
            after_prompt: layer.keeps_prompt_error,
            abort: above.abort,
        });
        here.settled |= wire;
        here
    }

    /// Reads one text; says what it shows of a provider.
    fn text(&mut self, text: &str, host: &'a Value, depth: u32, above: Above, embedded: u8) -> Above {
        let mut here = above;
        if self.text == 0 {
            self.sightings.cut = true;
            return here;
        }
        self.text = self.text.saturating_sub(text.len().min(text::MAX_TEXT));
        if above.abort.is_some() && text::says_timeout(text) {
            self.void_aborts(above.abort);
        }
        let mut parts = Vec::new();
        text::read(text, above.mode(), &mut |said| parts.push(said));
        for said in parts {
            match said {
                // "Aborted" adds nothing beneath an abort, and an abort that speaks of a timeout was nobody's wish.
                Said::Means(Meaning { weight: Weight::Wrapper, .. }, _)
                    if here.abort.is_some() || text::says_timeout(text) => {}
                Said::Means(meaning, evidence) => self.see(meaning, evidence, depth, here),
                Said::Status => {
                    here.answered = true;
                    here.words = true;
                    self.evidence(host, true, here);
                }
                Said::Called => {
                    here.called = true;
                    self.evidence(host, false, here);
                }
                Said::Transport if here.url || evidence::names_a_host(text) => {
                    here.called = true;
                    self.evidence(host, false, here);
                }
                Said::Transport => {}
                Said::Json(json) => here = self.json(json, host, depth, here, embedded),
                Said::Candidate(words) | Said::Cause(words) if embedded < MAX_EMBEDDED => {
                    // What one candidate answered says nothing of the next.
                    self.text(words, host, depth + 1, here, embedded + 1);
                }
                Said::Candidate(_) | Said::Cause(_) => self.sightings.cut = true,
            }
        }
        here
    }

    /// Reads JSON that stands in a text.
    fn json(&mut self, json: &str, host: &'a Value, depth: u32, above: Above, embedded: u8) -> Above {
        if embedded >= MAX_EMBEDDED || json.len() > self.json {
            self.sightings.cut = true;
            return above;
        }
        self.json -= json.len();
        // What follows the JSON is not part of it; broken JSON says nothing.
        let Some(Ok(value)) = serde_json::Deserializer::from_str(json).into_iter::<Value>().next() else {
            return above;
        };
        let (calls, answers) = (self.sightings.calls, self.sightings.answers);
        let mut inside = above;
        // An answer's own text may be a gateway's error.
        inside.body |= above.answered && above.words;
        self.breadth_first(
            Node { value: &value, host, depth: depth + 1, above: inside },
            &|_, host| host,
            embedded + 1,
        );
        let mut here = above;
        here.called |= self.sightings.calls > calls;
        let answered = self.sightings.answers > answers;
        here.answered |= answered;
        here.words |= answered;
        here
    }

    fn see(&mut self, meaning: Meaning, evidence: Evidence, depth: u32, above: Above) {
        self.sightings.seen.push(Sighting {
            meaning,
            evidence,
            retry_after: None,
            depth,
            shielded: above.shields(),
            void: false,
            after_prompt: false,
            abort: above.abort,
        });
    }

    fn evidence(&mut self, host: &'a Value, answered: bool, above: Above) {
        self.sightings.layer = self.sightings.layer.or(Some(host));
        self.sightings.calls += 1;
        self.sightings.answers += u32::from(answered);
        self.sightings.prompt_answered |= answered && above.prompt;
    }

    /// The aborts above a timeout were nobody's wish.
    fn void_aborts(&mut self, mut abort: Option<usize>) {
        // Above one that is void already, all are.
        while let Some(above) =
            abort.and_then(|at| self.sightings.seen.get_mut(at)).filter(|above| !above.void)
        {
            above.void = true;
            abort = above.abort;
        }
    }
}
