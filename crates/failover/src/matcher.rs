//! One pass over a message: which phrases are in it, and so which text rule holds.
//!
//! The bytes are folded as they are read: letters to lower case, everything that is no letter or digit to one space,
//! JSON escapes resolved. Phrases are stored with a space at both ends, so a match is a match of whole words, and no
//! regular expression can backtrack. What stands in long quotes is kept apart: an echoed prompt decides only if nothing
//! outside the quotes does.
//!
//! The decision: a DFA over the phrases (one load per byte) and rules as bit masks over the terms that were met. The
//! option not taken is a set of regular expressions over the raw text: slower, and it sees ids and token counts.
//!
//! What must stay true: at most [`MAX_TEXT`] bytes are read, whatever comes in, and nothing is allocated.

use std::{collections::HashMap, sync::LazyLock};

use aho_corasick::{
    Anchored, MatchKind,
    automaton::{Automaton, StateID},
    dfa::DFA,
};

use crate::{
    delay::{Found, prose},
    fold::{FOLD, SPECIAL, Unescaped, is_echo, quote_end, unescape},
    rules::text::{Statuses, TextRule, rules},
    vendor::Vendor,
    verdict::Stated,
};

/// Bytes of messages that are read in all.
const MAX_TEXT: usize = 2560;
/// Bytes of a long message's beginning that are read.
const HEAD: usize = 1024;
/// Bytes of a long message's end that are read: many wrappers put the reason last.
const TAIL: usize = 512;
const WORDS: usize = 6;

/// Terms that were met.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Bits([u64; WORDS]);

impl Bits {
    fn set(&mut self, bit: usize) {
        if let Some(word) = self.0.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    fn add(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
    }

    fn has_all(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(word, wanted)| word & wanted == wanted)
    }

    fn has_none(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(word, banned)| word & banned == 0)
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn both(&self, other: &Self) -> impl Iterator<Item = usize> {
        let words: [u64; WORDS] = std::array::from_fn(|at| self.0[at] & other.0[at]);
        words.into_iter().enumerate().flat_map(|(at, mut word)| {
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                (word != 0).then(|| {
                    word &= word - 1;
                    at * 64 + bit
                })
            })
        })
    }
}

/// What was seen in the messages of one signal.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    outside_quotes: Bits,
    anywhere: Bits,
    /// Outside every quote, a short one too.
    unquoted: Bits,
    /// Behind the closing mark of the last quote, in the part that is being read.
    quoted_until: usize,
    read: usize,
    delay: Option<Stated>,
    unparsable_delays: u8,
}

impl Seen {
    /// A delay stated in prose, and how many were stated in a form nobody understands.
    pub(crate) fn delay(&self) -> Found {
        Found { stated: self.delay, unparsable: self.unparsable_delays }
    }
}

struct Rule {
    rule: &'static TextRule,
    needs: Bits,
    bans: Bits,
}

pub(crate) struct Matcher {
    latin: Automat,
    /// Phrases in scripts without spaces between words; fed only with bytes above ASCII.
    wide: Automat,
    rules: Vec<Rule>,
    /// By bit: the rules whose rarest term it is.
    by_lead: Vec<Vec<u16>>,
    leads: Bits,
}

struct Automat {
    dfa: DFA,
    start: StateID,
    /// By pattern: the terms it meets, and whether a delay follows it.
    meets: Vec<(Bits, bool)>,
}

static MATCHER: LazyLock<Matcher> = LazyLock::new(Matcher::build);

/// The matcher over the built-in rules.
pub(crate) fn matcher() -> &'static Matcher {
    &MATCHER
}

impl Matcher {
    fn build() -> Self {
        let mut terms: HashMap<&'static str, usize> = HashMap::new();
        let mut phrases: HashMap<String, (Bits, bool)> = HashMap::new();
        let mut compiled = Vec::new();
        let mut by_lead: Vec<Vec<u16>> = Vec::new();
        let mut leads = Bits::default();
        for (order, rule) in rules().enumerate() {
            let (mut needs, mut bans) = (Bits::default(), Bits::default());
            let mut lead: Option<(usize, usize)> = None;
            for term in rule.terms {
                let banned = term.starts_with('!');
                let alternatives = term.trim_start_matches('!');
                let next = terms.len();
                let bit = *terms.entry(alternatives).or_insert(next);
                let mut width = 0;
                for phrase in alternatives.split('|') {
                    phrases.entry(pattern(phrase)).or_default().0.set(bit);
                    width += 1;
                }
                if banned {
                    bans.set(bit);
                } else {
                    needs.set(bit);
                    if lead.is_none_or(|(narrowest, _)| width < narrowest) {
                        lead = Some((width, bit));
                    }
                }
            }
            if let Some((_, bit)) = lead {
                by_lead.resize_with(by_lead.len().max(bit + 1), Vec::new);
                // The tables hold hundreds of rules.
                by_lead[bit].push(u16::try_from(order).unwrap_or(u16::MAX));
                leads.set(bit);
            }
            compiled.push(Rule { rule, needs, bans });
        }
        debug_assert!(terms.len() <= WORDS * 64, "{} terms do not fit the bits", terms.len());
        for lead in prose::LEADS {
            phrases.entry(pattern(lead)).or_default().1 = true;
        }
        let (wide, latin) = phrases.into_iter().partition(|(phrase, _)| !phrase.is_ascii());
        Self { latin: Automat::build(latin), wide: Automat::build(wide), rules: compiled, by_lead, leads }
    }

    /// Reads one message. `vendor` tells in which time zone it states times.
    pub(crate) fn read(&self, text: &[u8], vendor: Vendor, seen: &mut Seen) {
        let room = MAX_TEXT.saturating_sub(seen.read);
        let (head, tail) = if text.len() <= HEAD + TAIL {
            (text, &text[..0])
        } else {
            (&text[..HEAD], &text[text.len() - TAIL..])
        };
        if head.len() + tail.len() <= room {
            self.read_part(head, vendor, seen);
            self.read_part(tail, vendor, seen);
        }
    }

    fn read_part(&self, text: &[u8], vendor: Vendor, seen: &mut Seen) {
        if text.is_empty() {
            return;
        }
        seen.read += text.len();
        seen.quoted_until = 0;
        let mut latin = self.latin.start;
        let mut wide = self.wide.start;
        let mut after_space = false;
        let mut echo_end = 0;
        let mut at = 0;
        latin = self.latin.step(latin, b' ', text, 0, 0, vendor, seen);
        while let Some(&byte) = text.get(at) {
            let mut folded = FOLD[usize::from(byte)];
            let here = at;
            at += 1;
            if folded == SPECIAL {
                match byte {
                    b'\\' => {
                        let (value, used) = unescape(&text[at..]);
                        at += used;
                        folded = match value {
                            Unescaped::Latin(byte) => FOLD[usize::from(byte)],
                            Unescaped::Wide(bytes, len) => {
                                for byte in &bytes[..len] {
                                    wide = self.wide.step(wide, *byte, text, at, echo_end, vendor, seen);
                                }
                                SPECIAL
                            }
                        };
                        if folded == SPECIAL {
                            folded = b' ';
                        }
                    }
                    b'"' | b'\'' | b'`' => {
                        if here >= seen.quoted_until || here >= echo_end {
                            let end = quote_end(text, here);
                            if here >= seen.quoted_until {
                                seen.quoted_until = end.map_or(seen.quoted_until, |end| end + 1);
                            }
                            if here >= echo_end {
                                echo_end = end.filter(|end| is_echo(text, here, *end)).unwrap_or(echo_end);
                            }
                        }
                        folded = b' ';
                    }
                    _ => {
                        wide = self.wide.step(wide, byte, text, at, echo_end, vendor, seen);
                        folded = b' ';
                    }
                }
            }
            if folded == b' ' {
                if after_space {
                    continue;
                }
                after_space = true;
            } else {
                after_space = false;
                wide = self.wide.start;
            }
            latin = self.latin.step(latin, folded, text, at, echo_end, vendor, seen);
        }
        if !after_space {
            self.latin.step(latin, b' ', text, at, echo_end, vendor, seen);
        }
    }

    /// The first rule in the order of the tables that holds for what was seen.
    pub(crate) fn decide(
        &self,
        seen: &Seen,
        status: Option<u16>,
        vendor: Vendor,
    ) -> Option<&'static TextRule> {
        let group = Statuses::group(status);
        self.first(&seen.outside_quotes, group, vendor).or_else(|| {
            (seen.anywhere != seen.outside_quotes)
                .then(|| self.first(&seen.anywhere, group, vendor))
                .flatten()
        })
    }

    /// The same for what was seen outside every quote: what a refusal quotes is the caller's.
    pub(crate) fn decide_unquoted(
        &self,
        seen: &Seen,
        status: Option<u16>,
        vendor: Vendor,
    ) -> Option<&'static TextRule> {
        self.first(&seen.unquoted, Statuses::group(status), vendor)
    }

    fn first(&self, met: &Bits, group: Statuses, vendor: Vendor) -> Option<&'static TextRule> {
        if met.is_empty() {
            return None;
        }
        let mut best: Option<u16> = None;
        for bit in met.both(&self.leads) {
            for order in self.by_lead.get(bit).into_iter().flatten() {
                if best.is_some_and(|best| best <= *order) {
                    break;
                }
                let Some(rule) = self.rules.get(usize::from(*order)) else { continue };
                if rule.rule.under.has(group)
                    && met.has_all(&rule.needs)
                    && met.has_none(&rule.bans)
                    && (rule.rule.vendors.is_empty() || rule.rule.vendors.contains(&vendor))
                {
                    best = Some(*order);
                }
            }
        }
        best.and_then(|order| self.rules.get(usize::from(order))).map(|rule| rule.rule)
    }
}

impl Automat {
    #[allow(clippy::expect_used, reason = "the phrases are constants; a test builds the automaton from them")]
    fn build(phrases: HashMap<String, (Bits, bool)>) -> Self {
        let (patterns, meets): (Vec<_>, Vec<_>) = phrases.into_iter().unzip();
        let dfa = DFA::builder()
            .match_kind(MatchKind::Standard)
            .start_kind(aho_corasick::StartKind::Unanchored)
            .build(&patterns)
            .expect("hundreds of short phrases fit an automaton");
        let start = dfa.start_state(Anchored::No).expect("the automaton was built with this start");
        Self { dfa, start, meets }
    }

    #[inline]
    #[allow(
        clippy::too_many_arguments,
        reason = "one call per byte: the state of the loop is passed, not boxed"
    )]
    fn step(
        &self,
        state: StateID,
        byte: u8,
        text: &[u8],
        at: usize,
        echo_end: usize,
        vendor: Vendor,
        seen: &mut Seen,
    ) -> StateID {
        let state = self.dfa.next_state(Anchored::No, state, byte);
        if self.dfa.is_special(state) && self.dfa.is_match(state) {
            self.met(state, text, at, echo_end, vendor, seen);
        }
        state
    }

    #[cold]
    fn met(&self, state: StateID, text: &[u8], at: usize, echo_end: usize, vendor: Vendor, seen: &mut Seen) {
        for number in 0..self.dfa.match_len(state) {
            let pattern = self.dfa.match_pattern(state, number);
            let Some((terms, delay_follows)) = self.meets.get(pattern.as_usize()) else { continue };
            seen.anywhere.add(terms);
            if at > echo_end {
                seen.outside_quotes.add(terms);
            }
            if at > seen.quoted_until {
                seen.unquoted.add(terms);
            }
            if *delay_follows && seen.delay.is_none() {
                match prose::read(text.get(at..).unwrap_or_default(), vendor) {
                    prose::Prose::Delay(delay) => seen.delay = Some(delay),
                    prose::Prose::Unparsable => {
                        seen.unparsable_delays = seen.unparsable_delays.saturating_add(1)
                    }
                    prose::Prose::Nothing => {}
                }
            }
        }
    }
}

/// A phrase as the automaton reads it: folded, with a space at both ends; without the last one for a beginning.
fn pattern(phrase: &str) -> String {
    if !phrase.is_ascii() {
        return phrase.to_owned();
    }
    let (phrase, is_beginning) = match phrase.strip_suffix('*') {
        Some(beginning) => (beginning, true),
        None => (phrase, false),
    };
    let words = phrase
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let end = if is_beginning { "" } else { " " };
    format!(" {words}{end}").to_ascii_lowercase()
}
