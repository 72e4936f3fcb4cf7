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

/// The first few of something.
#[derive(Clone, Debug)]
pub(super) struct Few<T, const MOST: usize> {
    items: [Option<T>; MOST],
    count: usize,
}

impl<T, const MOST: usize> Default for Few<T, MOST> {
    fn default() -> Self {
        Self { items: [const { None }; MOST], count: 0 }
    }
}

impl<T, const MOST: usize> Few<T, MOST> {
    /// Keeps `item`, if there is room.
    pub(super) fn push(&mut self, item: T) {
        if let Some(free) = self.items.get_mut(self.count) {
            *free = Some(item);
            self.count += 1;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().take(self.count).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_not_kept() {
        let mut few = Few::<u8, 2>::default();
        (0..5).for_each(|item| few.push(item));
        assert_eq!(few.iter().copied().collect::<Vec<_>>(), [0, 1]);
    }
}
