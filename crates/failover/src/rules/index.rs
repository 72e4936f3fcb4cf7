//! Finding the rule of a code: one hash over three machine words, then one comparison.
//!
//! Built once from the tables. Two maps: by the documented spelling, which is what nearly every answer carries, and by
//! the letters and digits alone, so that `ThrottlingException`, `throttling_exception` and `THROTTLING EXCEPTION` are one
//! code. The option not taken is `HashMap<(Vendor, String), _>`: its hash alone costs more than this whole lookup.
//!
//! What must stay true: a vendor's own rule wins over the shared one, and nothing here allocates after the first use.

use std::{collections::BTreeMap, sync::LazyLock};

use super::{Rule, Weight, tables};
use crate::vendor::Vendor;

/// Longer strings are sentences, not codes.
const MAX_CODE: usize = 96;

/// The rules by code.
pub(crate) struct Index {
    spelled: Map,
    squashed: Map,
}

/// A rule that matched, and how much it says here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub(crate) rule: &'static Rule,
    pub(crate) weight: Weight,
    /// Whether the vendor that was called documents it, or only another one in the same sense.
    pub(crate) own: bool,
}

static INDEX: LazyLock<Index> = LazyLock::new(Index::build);

/// The rule for `value` as `vendor` uses it.
pub(crate) fn find(vendor: Vendor, status: Option<u16>, value: &str) -> Option<Hit> {
    INDEX.find(vendor, status, value)
}

impl Index {
    fn build() -> Self {
        let mut spelled = Map::with_room_for(tables().count());
        let mut squashed = Map::with_room_for(tables().count() * 2);
        for rule in tables() {
            spelled.insert(rule.vendor, rule.value, rule);
            squashed.insert(rule.vendor, &squash_owned(rule.value), rule);
        }
        for (key, rule) in shared_words() {
            if squashed.get(Vendor::Generic, None, &key).is_none() {
                spelled.insert(Vendor::Generic, rule.value, rule);
                squashed.insert(Vendor::Generic, &key, rule);
            }
        }
        Self { spelled, squashed }
    }

    fn find(&self, vendor: Vendor, status: Option<u16>, value: &str) -> Option<Hit> {
        let value = value.trim_ascii();
        if value.is_empty() || value.len() > MAX_CODE {
            return None;
        }
        if let Some(rule) = self.spelled.get(vendor, status, value) {
            return Some(Hit::own(rule));
        }
        if vendor != Vendor::Generic
            && let Some(rule) = self.spelled.get(Vendor::Generic, status, value)
        {
            return Some(Hit::shared(rule));
        }
        self.find_respelled(vendor, status, value)
    }

    #[cold]
    fn find_respelled(&self, vendor: Vendor, status: Option<u16>, value: &str) -> Option<Hit> {
        let mut buffer = [0_u8; MAX_CODE];
        self.by_letters(vendor, status, value, &mut buffer).or_else(|| {
            // `com.amazon.coral#Name`, `Name:http://...`, `family:detail`, `Family.Detail`, `litellm.Name`.
            let bare = value.rsplit('#').next().unwrap_or(value);
            let family = bare.split([':', '.']).next().unwrap_or(bare);
            let last = bare.rsplit('.').next().unwrap_or(bare);
            [bare, family, last]
                .into_iter()
                .filter(|part| part.len() < value.len())
                .find_map(|part| self.by_letters(vendor, status, part, &mut buffer))
        })
    }

    fn by_letters(
        &self,
        vendor: Vendor,
        status: Option<u16>,
        value: &str,
        buffer: &mut [u8; MAX_CODE],
    ) -> Option<Hit> {
        let key = squash(value, buffer)?;
        let own = self.squashed.get(vendor, status, key).map(Hit::own);
        own.or_else(|| self.squashed.get(Vendor::Generic, status, key).map(Hit::shared))
    }
}

impl Hit {
    fn own(rule: &'static Rule) -> Self {
        Self { rule, weight: rule.weight, own: true }
    }

    fn shared(rule: &'static Rule) -> Self {
        Self { rule, weight: rule.weight, own: false }
    }
}

/// The vendors' words that may be read without the vendor: words (never bare numbers), under any status, in which every
/// table that has them means the same class.
fn shared_words() -> impl Iterator<Item = (String, &'static Rule)> {
    let mut words: BTreeMap<String, Vec<&'static Rule>> = BTreeMap::new();
    for rule in tables() {
        words.entry(squash_owned(rule.value)).or_default().push(rule);
    }
    words.into_iter().filter_map(|(key, rules)| {
        let first = *rules.first()?;
        let one_sense =
            rules.iter().all(|rule| rule.outcome.code == first.outcome.code && rule.status.is_none());
        (one_sense && key.bytes().any(|byte| byte.is_ascii_alphabetic())).then_some((key, first))
    })
}

struct Map {
    /// Entry number + 1; zero is empty. A power of two long.
    slots: Box<[u16]>,
    entries: Vec<Entry>,
}

struct Entry {
    vendor: Vendor,
    key: Box<str>,
    rule: &'static Rule,
}

impl Map {
    fn with_room_for(entries: usize) -> Self {
        // A quarter full, so that a miss ends at the first empty slot.
        Self {
            slots: vec![0; (entries * 4).next_power_of_two()].into_boxed_slice(),
            entries: Vec::with_capacity(entries),
        }
    }

    fn insert(&mut self, vendor: Vendor, key: &str, rule: &'static Rule) {
        let mut slot = self.home(vendor, key);
        while self.slots[slot] != 0 {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.entries.push(Entry { vendor, key: key.into(), rule });
        // The tables hold hundreds of rules, far below what a `u16` counts.
        self.slots[slot] = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
    }

    fn get(&self, vendor: Vendor, status: Option<u16>, key: &str) -> Option<&'static Rule> {
        let mut slot = self.home(vendor, key);
        loop {
            let entry = self.entries.get(usize::from(*self.slots.get(slot)?).checked_sub(1)?)?;
            if entry.vendor == vendor
                && (*entry.key == *key || entry.key.eq_ignore_ascii_case(key))
                && (entry.rule.status.is_none() || entry.rule.status == status)
            {
                return Some(entry.rule);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    fn home(&self, vendor: Vendor, key: &str) -> usize {
        let bytes = key.as_bytes();
        // Setting the case bit of every byte makes the hash blind to ASCII case.
        let head = word(bytes) | 0x2020_2020_2020_2020;
        let tail = word(&bytes[bytes.len().saturating_sub(8)..]) | 0x2020_2020_2020_2020;
        let mixed = head ^ tail.rotate_left(29) ^ ((bytes.len() as u64) << 8) ^ vendor as u64;
        let hash = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // The high bits are the well mixed ones.
        (hash >> 40) as usize & (self.slots.len() - 1)
    }
}

fn word(bytes: &[u8]) -> u64 {
    if let Some(head) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*head);
    }
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

/// The ASCII letters and digits of `value`, in lower case; `None` where none are left.
fn squash<'b>(value: &str, buffer: &'b mut [u8; MAX_CODE]) -> Option<&'b str> {
    let mut len = 0;
    for byte in value.bytes().filter(u8::is_ascii_alphanumeric) {
        *buffer.get_mut(len)? = byte.to_ascii_lowercase();
        len += 1;
    }
    std::str::from_utf8(buffer.get(..len)?).ok().filter(|key| !key.is_empty())
}

fn squash_owned(value: &str) -> String {
    value.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase() as char).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn id(vendor: Vendor, status: Option<u16>, value: &str) -> Option<&'static str> {
        find(vendor, status, value).map(|hit| hit.rule.id)
    }

    #[test]
    fn every_row_is_found_as_it_is_written() {
        for rule in tables() {
            let hit = find(rule.vendor, rule.status, rule.value);
            assert_eq!(hit.map(|hit| hit.rule.id), Some(rule.id), "{}", rule.value);
        }
    }

    #[test]
    fn ids_are_unique_and_every_rule_names_a_public_source() {
        let mut seen = HashSet::new();
        for rule in crate::rules::rules() {
            assert!(seen.insert(rule.id), "{} twice", rule.id);
            assert!(rule.source.starts_with("https://"), "{}", rule.id);
        }
    }

    #[test]
    fn spelling_does_not_matter() {
        for spelling in [
            "ThrottlingException",
            "throttling_exception",
            "THROTTLING EXCEPTION",
            "com.amazonaws.bedrock#ThrottlingException",
            "ThrottlingException:http://internal.amazon.com/coral/",
        ] {
            assert_eq!(
                id(Vendor::Bedrock, None, spelling),
                Some("bedrock/ThrottlingException"),
                "{spelling}"
            );
        }
        assert_eq!(id(Vendor::DashScope, None, "Throttling.NewKind"), Some("dashscope/Throttling"));
        assert_eq!(id(Vendor::Generic, None, "litellm.APITimeoutError"), Some("sdk/APITimeoutError"));
    }

    #[test]
    fn the_same_code_differs_by_vendor() {
        assert_eq!(id(Vendor::OpenAi, None, "insufficient_quota"), Some("openai/insufficient_quota"));
        assert_eq!(id(Vendor::DashScope, None, "insufficient_quota"), Some("dashscope/insufficient_quota"));
        assert_eq!(id(Vendor::Generic, None, "insufficient_quota"), Some("generic/insufficient_quota"));
        assert_eq!(
            id(Vendor::Google, Some(402), "RESOURCE_EXHAUSTED"),
            Some("google/402-RESOURCE_EXHAUSTED")
        );
        assert_eq!(id(Vendor::Google, Some(429), "RESOURCE_EXHAUSTED"), Some("google/RESOURCE_EXHAUSTED"));
    }

    #[test]
    fn a_bare_number_means_nothing_without_its_vendor() {
        assert_eq!(id(Vendor::Zhipu, None, "1113"), Some("zhipu/1113"));
        assert_eq!(id(Vendor::Generic, None, "1113"), None);
    }

    #[test]
    fn what_is_no_code_is_nothing() {
        for value in ["", "   ", "___", &"x".repeat(5000), "nobody knows this"] {
            assert_eq!(id(Vendor::OpenAi, None, value), None);
        }
    }
}
