//! The path rule: which names may travel, and which of them are the same file.

use std::{collections::BTreeSet, fmt, sync::Arc};

/// A checked path below a liveries root: `/` between components, safe on every PC.
///
/// Compared and ordered by its spelling; two spellings of one file share a [`PathKey`].
#[derive(Clone)]
pub struct RelPath {
    text: Arc<str>,
    key: PathKey,
}

/// What makes two spellings the same file: NFC and case-folded, per component.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathKey(Arc<str>);

/// The file extensions that are published and accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extensions(BTreeSet<String>);
