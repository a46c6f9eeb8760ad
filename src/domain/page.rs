//! Pages of a list.

use time::OffsetDateTime;
use uuid::Uuid;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Page<K> {
    /// Where it begins.
    pub start: Start<K>,
    /// How many things it has at most.
    pub limit: i64,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug)]
pub enum Start<K> {
    /// After so many things. What is deleted meanwhile moves the rest up.
    Row(i64),
    /// After the thing that stands at this place in the order, whether or not it
    /// is still there.
    After(K),
}

impl<K> Page<K> {
    /// How many things to leave out from the start.
    pub fn skip(&self) -> i64 {
        match self.start {
            Start::Row(skip) => skip,
            Start::After(_) => 0,
        }
    }

    /// The place after which the page begins.
    pub fn after(&self) -> Option<&K> {
        match &self.start {
            Start::Row(_) => None,
            Start::After(key) => Some(key),
        }
    }
}

/// A place in a list in which the last changed comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastChange<I = Uuid> {
    /// When the thing there last changed.
    pub at: OffsetDateTime,
    /// Its id.
    pub id: I,
}

/// Later than any change.
const NEVER: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::days(365 * 8_000));

impl Page<LastChange> {
    /// The place after which the page begins; one before all things when it
    /// begins after a number of them.
    pub fn after_change(&self) -> LastChange {
        self.after().copied().unwrap_or(LastChange { at: NEVER, id: Uuid::max() })
    }
}

impl Page<LastChange<String>> {
    /// The same, of things whose ids are texts.
    pub fn after_change(&self) -> LastChange<&str> {
        let before_all = LastChange { at: NEVER, id: "" };
        self.after().map_or(before_all, |place| LastChange { at: place.at, id: &place.id })
    }
}

/// A page, and how much there is beyond it.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// What is on the page.
    pub items: Vec<T>,
    /// How many things there are on all pages.
    pub total: i64,
    /// Whether there are more after it.
    pub has_more: bool,
}

impl<T> Listed<T> {
    /// A page of at most `limit` things, from `items` that were looked up with one more than that.
    pub fn new(mut items: Vec<T>, limit: i64, total: i64) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let has_more = items.len() > limit;
        items.truncate(limit);
        Self { items, total, has_more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_too_many_only_says_that_there_is_more() {
        let listed = |items: &[u8]| Listed::new(items.to_vec(), 2, 9);
        assert_eq!((listed(&[1, 2, 3]).items, listed(&[1, 2, 3]).has_more), (vec![1, 2], true));
        assert_eq!((listed(&[1, 2]).items, listed(&[1, 2]).has_more), (vec![1, 2], false));
    }
}
