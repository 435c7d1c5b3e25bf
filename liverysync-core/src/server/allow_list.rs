//! The allow list: the liveries that a server distributes.

use std::collections::{BTreeMap, BTreeSet};

#[cfg(doc)]
use super::Input;
use super::{Event, ServerMachine, context::Context};
use crate::{
    conflict::{Naming, plain_livery},
    list_file,
    path::{PathKey, fold},
};

impl ServerMachine {
    /// Returns the livery names of an allow list, for [`Input::AllowList`]: one a line. A line that begins with `#` is a
    /// comment. A name that begins with `#` has a backslash in front.
    ///
    /// Returns `None` if it names none, and then every livery is distributed.
    #[must_use]
    pub fn parse_allow_list(text: &str) -> Option<BTreeSet<String>> {
        let names: BTreeSet<_> = list_file::entries(text).map(str::to_owned).collect();
        (!names.is_empty()).then_some(names)
    }
}

/// The liveries that a server distributes.
#[derive(Debug)]
pub(super) struct AllowList {
    /// Their folders in one case, each with the name as it was written; `None` for all.
    names: Option<BTreeMap<String, String>>,
    /// People have not been told which names match no livery.
    is_new: bool,
    /// Recognizes conflict names in keys.
    key_naming: Naming,
}

impl AllowList {
    /// Allows everything.
    pub(super) fn new(naming: &Naming) -> Self {
        Self { names: None, is_new: false, key_naming: naming.folded() }
    }

    /// Recognizes conflict names by another naming.
    pub(super) fn set_naming(&mut self, naming: &Naming) {
        self.key_naming = naming.folded();
    }

    /// Takes another list. Returns whether it differs.
    pub(super) fn replace(&mut self, names: Option<BTreeSet<String>>) -> bool {
        let folded = |name: String| (fold(&name), name);
        let names = names.map(|names| names.into_iter().map(folded).collect::<BTreeMap<_, _>>());
        let is_new = match (&self.names, &names) {
            // Another spelling of the same names allows nothing else, and need not be announced.
            (Some(old), Some(new)) => !old.keys().eq(new.keys()),
            (old, new) => old.is_some() != new.is_some(),
        };
        self.names = names;
        self.is_new |= is_new;
        is_new
    }

    /// Returns the names on the list in one case; `None` if everything is allowed.
    pub(super) fn names(&self) -> Option<impl Iterator<Item = &String>> {
        self.names.as_ref().map(BTreeMap::keys)
    }

    /// Returns whether the livery of a file is distributed. The conflict copies of an allowed livery are, too.
    pub(super) fn allows(&self, key: &PathKey) -> bool {
        self.names.as_ref().is_none_or(|names| {
            let livery = key.livery();
            names.contains_key(livery)
                || names.contains_key(&*plain_livery(livery, &self.key_naming))
        })
    }

    /// Returns the names, as they were written, that are of none of the liveries with these keys.
    fn unmatched<'a>(&self, liveries: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut names = self.names.clone().unwrap_or_default();
        for livery in liveries {
            names.remove(livery);
            names.remove(&*plain_livery(livery, &self.key_naming));
        }
        names.into_values().collect()
    }
}

/// Tells people, once for each list, which of its names are of no livery of the league. Waits until the league has any.
pub(super) fn tell_unmatched(cx: &mut Context) {
    let league = &mut cx.league;
    if !league.allow_list.is_new || league.union().is_empty() {
        return;
    }
    league.allow_list.is_new = false;
    let liveries = league.union().iter().map(|entry| entry.path.key().livery());
    let names = league.allow_list.unmatched(liveries);
    if !names.is_empty() {
        cx.event(Event::AllowListUnmatched { names });
    }
}
