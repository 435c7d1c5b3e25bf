//! The allow list: the liveries that a server distributes.

use std::collections::BTreeSet;

#[cfg(doc)]
use super::Input;
use super::ServerMachine;
use crate::{
    conflict::{Naming, plain_livery},
    list_file,
    path::{PathKey, fold},
};

impl ServerMachine {
    /// Returns the livery names of an allow list, for [`Input::AllowList`]: one a line. A line that begins with `#` is a comment. A name that begins with
    /// `#` has a backslash in front.
    ///
    /// Returns `None` if it names none, and then every livery is distributed.
    #[must_use]
    pub fn parse_allow_list(text: &str) -> Option<BTreeSet<String>> {
        let names: BTreeSet<_> = list_file::entries(text).map(fold).collect();
        (!names.is_empty()).then_some(names)
    }
}

/// The liveries that a server distributes.
#[derive(Debug)]
pub(super) struct AllowList {
    /// Their folders in one case; `None` for all.
    names: Option<BTreeSet<String>>,
    /// Recognizes conflict names in keys.
    key_naming: Naming,
}

impl AllowList {
    /// Allows everything.
    pub(super) fn new(naming: &Naming) -> Self {
        Self { names: None, key_naming: naming.folded() }
    }

    /// Recognizes conflict names by another naming.
    pub(super) fn set_naming(&mut self, naming: &Naming) {
        self.key_naming = naming.folded();
    }

    /// Takes another list. Returns whether it differs.
    pub(super) fn replace(&mut self, names: Option<BTreeSet<String>>) -> bool {
        let is_new = self.names != names;
        self.names = names;
        is_new
    }

    /// Returns the names on the list; `None` if everything is allowed.
    pub(super) const fn names(&self) -> Option<&BTreeSet<String>> {
        self.names.as_ref()
    }

    /// Returns whether the livery of a file is distributed. The conflict copies of an allowed livery are, too.
    pub(super) fn allows(&self, key: &PathKey) -> bool {
        self.names.as_ref().is_none_or(|names| {
            let livery = key.livery();
            names.contains(livery) || names.contains(&*plain_livery(livery, &self.key_naming))
        })
    }
}
