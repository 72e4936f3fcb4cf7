//! The few codes and texts that a signal keeps, without an allocation for what the error itself holds.

use std::borrow::Cow;

/// A code: a word, or a number as the table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word<'e> {
    Text(Cow<'e, str>),
    Number(i64),
}

impl Word<'_> {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) => None,
        }
    }

    /// The HTTP status that a code repeats.
    pub(super) fn status(&self) -> Option<u16> {
        let status = match self {
            Self::Text(text) => text.parse().ok(),
            Self::Number(number) => u16::try_from(*number).ok(),
        };
        status.filter(|status| (400..=599).contains(status))
    }
}

impl std::fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// Items that need no allocation.
const INLINE: usize = 3;

/// The first few of something: three in place, since nearly no error has more, and the others on the heap. The option not
/// taken is room for all of them in place, which costs every error the time to clear it.
#[derive(Clone, Debug)]
pub(super) struct Few<T, const MOST: usize> {
    first: [Option<T>; INLINE],
    others: Vec<T>,
}

impl<T, const MOST: usize> Few<T, MOST> {
    /// Nothing kept yet.
    pub(super) const EMPTY: Self = Self { first: [const { None }; INLINE], others: Vec::new() };

    /// Keeps `item`, if there is room.
    #[inline]
    pub(super) fn push(&mut self, item: T) {
        match self.first.iter_mut().find(|place| place.is_none()) {
            Some(free) => *free = Some(item),
            None if self.others.len() < MOST - INLINE => self.others.push(item),
            None => {}
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().flatten().chain(&self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_not_kept() {
        let mut few = Few::<u8, 4>::EMPTY;
        (0..5).for_each(|item| few.push(item));
        assert_eq!(few.iter().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
    }
}
