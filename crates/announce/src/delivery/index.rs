//! Finding the rule of a code, a word or the beginning of a text: one hash over a few bytes, then a comparison.
//!
//! Built once from the tables. The option not taken is `HashMap`: its hash alone costs more than this whole look-up. The
//! other one is an automaton over all texts: a text counts only where one may begin, so there are few places to look at.
//!
//! What must stay true: nothing here allocates after the first use, and every rule is found as it is written.

use std::sync::LazyLock;

use super::{
    channel::Channel,
    rules::{Hint, Rule, hints, mentions, table},
};

/// Bytes of a text that its rules are filed under.
pub(super) const FILED_BY: usize = 4;
/// Sets the case bit of every byte: makes a hash blind to ASCII case.
const CASE: u64 = 0x2020_2020_2020_2020;

/// What a text may say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Says {
    /// A rule of this channel's table, where the text begins.
    Rule(Channel, &'static Rule),
    /// A rule that holds wherever the words stand; the number is its place among them.
    Mention(usize, &'static Rule),
    /// What a code means that has two meanings.
    Hint(Hint),
}

/// One text and what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filed {
    pub(super) key: &'static str,
    pub(super) says: Says,
}

/// Everything that is looked up.
pub(super) struct Index {
    codes: Map<(Channel, &'static Rule)>,
    /// The same for codes that are numbers.
    numbers: Map<(Channel, i64, &'static Rule)>,
    words: Map<(Channel, &'static Rule)>,
    texts: Vec<Filed>,
    /// First and last of the texts that begin with the same bytes.
    files: Map<(usize, usize)>,
}

static INDEX: LazyLock<Index> = LazyLock::new(Index::build);

/// The index over the built-in tables.
pub(super) fn index() -> &'static Index {
    &INDEX
}

impl Index {
    fn build() -> Self {
        let rules = || {
            Channel::ALL
                .iter()
                .copied()
                .flat_map(|channel| table(channel).codes.iter().map(move |rule| (channel, rule)))
        };
        let mut codes = Map::with_room_for(rules().count());
        let mut numbers = Map::with_room_for(rules().count());
        for (channel, rule) in rules() {
            codes.insert(salted(hash(rule.key), channel), rule.key, (channel, rule));
            if let Ok(number) = rule.key.parse() {
                numbers.insert(salted(hash_number(number), channel), rule.key, (channel, number, rule));
            }
        }
        let spelled =
            || rules().filter(|(channel, rule)| channel.spells_codes() && is_unmistakable(rule.key));
        let mut words = Map::with_room_for(spelled().count());
        for (channel, rule) in spelled() {
            words.insert(hash(rule.key), rule.key, (channel, rule));
        }
        let mut texts: Vec<Filed> = texts().collect();
        // Stable: of two that are as long, the one of the table that comes first stays first.
        texts.sort_by_key(|filed| first_bytes(filed.key.as_bytes()));
        let mut files = Map::with_room_for(texts.len());
        let mut from = 0;
        for group in
            texts.chunk_by(|one, next| first_bytes(one.key.as_bytes()) == first_bytes(next.key.as_bytes()))
        {
            if let Some(first) = group.first() {
                files.insert(filed_under(first.key.as_bytes()), first.key, (from, from + group.len()));
            }
            from += group.len();
        }
        Self { codes, numbers, words, texts, files }
    }

    /// The rule of a code of this channel, whatever its case.
    pub(super) fn by_code(&self, channel: Channel, code: &str) -> Option<&'static Rule> {
        let is = |key: &str, value: &(Channel, _)| {
            value.0 == channel && (key == code || key.eq_ignore_ascii_case(code))
        };
        self.codes.find(salted(hash(code), channel), is).map(|(_, rule)| *rule)
    }

    /// The rule of a code that is a number.
    pub(super) fn by_number(&self, channel: Channel, number: i64) -> Option<&'static Rule> {
        let is = |_: &str, value: &(Channel, i64, _)| value.0 == channel && value.1 == number;
        self.numbers.find(salted(hash_number(number), channel), is).map(|(_, _, rule)| *rule)
    }

    /// The rule of a code that stands in a text as a word, of the channels that are asked.
    pub(super) fn by_word(&self, asked: impl Fn(Channel) -> bool, word: &str) -> Option<&'static Rule> {
        let is = |key: &str, value: &(Channel, _)| key == word && asked(value.0);
        self.words.find(hash(word), is).map(|(_, rule)| *rule)
    }

    /// The texts that begin like `rest`.
    pub(super) fn texts(&self, rest: &[u8]) -> &[Filed] {
        let Some(first) = first_bytes(rest) else { return &[] };
        let is = |key: &str, _: &_| first_bytes(key.as_bytes()) == Some(first);
        let Some((from, to)) = self.files.find(filed_under(rest), is) else { return &[] };
        self.texts.get(*from..*to).unwrap_or_default()
    }
}

/// Every text of every table.
fn texts() -> impl Iterator<Item = Filed> {
    let rules = Channel::ALL.iter().copied().flat_map(|channel| {
        let table = table(channel);
        let texts = table.texts.iter().map(|rule| (rule.key, rule));
        let words = table.codes.iter().filter(|rule| !rule.words.is_empty()).map(|rule| (rule.words, rule));
        texts.chain(words).map(move |(key, rule)| Filed { key, says: Says::Rule(channel, rule) })
    });
    let mentions =
        mentions().enumerate().map(|(place, rule)| Filed { key: rule.key, says: Says::Mention(place, rule) });
    let hints = hints().map(|(key, hint)| Filed { key, says: Says::Hint(hint) });
    rules.chain(mentions).chain(hints)
}

/// Whether a code cannot be a word of a sentence. Codes that are plain words or numbers need a field of their own.
pub(super) fn is_unmistakable(word: &str) -> bool {
    let capitals = word.bytes().filter(u8::is_ascii_uppercase).count();
    let spelled = word.contains('_') && word.len() > 4;
    let errno = capitals == word.len() && (4..=15).contains(&word.len()) && word.starts_with('E');
    spelled || errno || matches!(word, "ratelimited" | "accesslimited") || (capitals >= 2 && word.len() > 8)
}

/// The bytes that a text is filed under, in lower case.
pub(super) fn first_bytes(text: &[u8]) -> Option<[u8; FILED_BY]> {
    let mut first = *text.first_chunk()?;
    first.make_ascii_lowercase();
    Some(first)
}

fn filed_under(text: &[u8]) -> u64 {
    let first = text.first_chunk::<FILED_BY>().map_or(0, |first| u32::from_le_bytes(*first));
    (u64::from(first) | 0x2020_2020).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

fn salted(hash: u64, channel: Channel) -> u64 {
    hash.wrapping_add(channel as u64)
}

fn hash_number(number: i64) -> u64 {
    number.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

fn hash(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let head = word(bytes) | CASE;
    let tail = word(&bytes[bytes.len().saturating_sub(8)..]) | CASE;
    let mixed = head ^ tail.rotate_left(29) ^ ((bytes.len() as u64) << 8);
    mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

fn word(bytes: &[u8]) -> u64 {
    if let Some(head) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*head);
    }
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

/// An open table: the hash comes from the caller, the comparison too.
struct Map<V> {
    /// Entry number + 1; zero is empty. A power of two long.
    slots: Box<[u16]>,
    entries: Vec<(&'static str, V)>,
}

impl<V> Map<V> {
    fn with_room_for(entries: usize) -> Self {
        // A quarter full, so that a miss ends at the first empty slot.
        Self {
            slots: vec![0; (entries * 4).next_power_of_two()].into_boxed_slice(),
            entries: Vec::with_capacity(entries),
        }
    }

    fn insert(&mut self, hash: u64, key: &'static str, value: V) {
        let mut slot = self.home(hash);
        while self.slots[slot] != 0 {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.entries.push((key, value));
        // The tables hold some thousand rules, far below what a `u16` counts.
        self.slots[slot] = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
    }

    fn find(&self, hash: u64, is: impl Fn(&str, &V) -> bool) -> Option<&V> {
        let mut slot = self.home(hash);
        loop {
            let entry = usize::from(*self.slots.get(slot)?).checked_sub(1)?;
            let (key, value) = self.entries.get(entry)?;
            if is(key, value) {
                return Some(value);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    fn home(&self, hash: u64) -> usize {
        // The slots are a power of two, so the mask keeps what fits.
        usize::try_from(hash).unwrap_or(0) & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_found_as_it_is_written() {
        for channel in Channel::ALL.iter().copied() {
            for rule in table(channel).codes {
                assert_eq!(index().by_code(channel, rule.key).map(|rule| rule.id), Some(rule.id));
                if let Ok(number) = rule.key.parse() {
                    assert_eq!(index().by_number(channel, number).map(|rule| rule.id), Some(rule.id));
                }
            }
        }
        for filed in texts() {
            assert!(
                index().texts(filed.key.as_bytes()).iter().any(|found| found.key == filed.key),
                "{}",
                filed.key
            );
        }
    }

    #[test]
    fn plain_words_are_no_codes_of_a_text() {
        for word in
            ["invalid_auth", "M_LIMIT_EXCEEDED", "ECONNREFUSED", "ConversationNotFound", "ratelimited"]
        {
            assert!(is_unmistakable(word), "{word}");
        }
        for word in ["Unauthorized", "timeout", "403", "Forbidden", "E", "OK", "internal"] {
            assert!(!is_unmistakable(word), "{word}");
        }
    }
}
