//! The message by which owners learn what others did to their liveries.

use serde::{Deserialize, Serialize};

use crate::wire::list;

/// The payload of [`Message::Notices`](super::Message::Notices).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notices {
    /// The notices, oldest first.
    #[serde(deserialize_with = "list::first::<{ Notices::MAX }, _, _>")]
    pub notices: Vec<OwnerNotice>,
}

impl Notices {
    /// The most notices of one message that count. A client ignores the rest.
    pub(crate) const MAX: usize = 100;
}

/// One notice about a livery of a client's member.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerNotice {
    /// The livery, as the league spells it.
    pub livery: String,
    /// The news.
    pub news: OwnerNews,
    /// The name of the driver who did it; `None` if it is unknown, and for an admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Something that an owner of a livery should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
// As `Notices`.
#[doc(hidden)]
pub enum OwnerNews {
    /// Somebody else's version of it became a conflict copy.
    Conflict,
    /// Somebody else has changed it.
    Changed,
    /// The member owns it now.
    Owned,
    /// The member does not own it any more, and nobody does.
    Disowned,
    /// News that a later version of the protocol has added.
    #[serde(other)]
    Other,
}
