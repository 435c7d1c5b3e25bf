//! The result of the last scan, published or not.

use std::{collections::BTreeMap, sync::OnceLock};

use crate::{
    path::{PathKey, fold},
    select::Listed,
};

/// The items of a listing. They are sorted by key only when somebody looks one up: most scans find what the one before
/// found, and then nobody does.
#[derive(Debug)]
pub(super) struct Listing {
    items: Vec<Listed>,
    by_key: OnceLock<BTreeMap<String, usize>>,
}

impl Listing {
    pub(super) const fn new(items: Vec<Listed>) -> Self {
        Self { items, by_key: OnceLock::new() }
    }

    /// Returns the position of each item by the key of its path. Of two items with one key the first counts.
    fn by_key(&self) -> &BTreeMap<String, usize> {
        self.by_key.get_or_init(|| {
            let numbered = self.items.iter().enumerate().rev();
            numbered.map(|(number, item)| (fold(&item.path), number)).collect()
        })
    }

    pub(super) fn items(&self) -> &[Listed] {
        &self.items
    }

    pub(super) fn get(&self, key: &str) -> Option<&Listed> {
        self.items.get(*self.by_key().get(key)?)
    }

    /// Returns the items below a folder with their keys, in the order of keys. `prefix` is the folder's key and a `/`.
    pub(super) fn below<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Listed)> {
        let range = self.by_key().range(prefix.to_owned()..);
        let below = range.take_while(move |(key, _)| key.starts_with(prefix));
        below.filter_map(|(key, number)| Some((key.as_str(), self.items.get(*number)?)))
    }

    /// Gives a folder or a file another spelling, with everything below it.
    pub(super) fn respell(&mut self, from: &str, to: &str) {
        let key = fold(from);
        let prefix = format!("{key}/");
        let below = self.by_key().range(prefix.clone()..);
        let below = below.take_while(|(key, _)| key.starts_with(&prefix)).map(|(_, at)| *at);
        let numbers: Vec<_> = below.chain(self.by_key().get(&key).copied()).collect();
        for number in numbers {
            let Some(item) = self.items.get_mut(number) else { continue };
            if let Some(rest) = super::spelling::below_folder(&item.path, from) {
                item.path = format!("{to}{rest}");
            }
        }
    }

    /// Puts an item in place of the one with this key.
    pub(super) fn insert(&mut self, key: &PathKey, item: Listed) {
        let number = *self.by_key().get(key.as_str()).unwrap_or(&self.items.len());
        match self.items.get_mut(number) {
            Some(there) => *there = item,
            None => self.items.push(item),
        }
        if let Some(by_key) = self.by_key.get_mut() {
            by_key.insert(key.as_str().to_owned(), number);
        }
    }
}
