//! The reasons why a PC that is in sync lacks something all the same.

use serde::Serialize;

use crate::{
    league::HoldReason,
    text::{escape, limit_said},
    wire::messages::{HeldNotice, RefusedFile},
};

/// Something that this PC lacks although it is in sync, because somebody has to do something about it first.
///
/// Serialized, it is an object with the variant as its `kind`, as `docs/json.md` describes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outstanding {
    /// A file of the league cannot be installed on this PC as things are: a link is in the way, the folder is not
    /// writable, the disk is full. It is tried again once that has changed.
    NotInstallable {
        /// The file, as the league spells it. [Escape](crate::text::escape) it before showing it.
        path: String,
        /// The reason.
        reason: String,
    },
    /// A file of this PC is damaged, and the league has an intact version of it, which stays. It is shared once it is
    /// intact.
    Damaged {
        /// The file, as it is spelled here. [Escape](crate::text::escape) it before showing it.
        path: String,
        /// The damage.
        reason: String,
    },
    /// A livery of this PC that the league does not have, while its driver has not chosen which of them to share.
    ShareNeeded {
        /// The livery, as it is spelled here. [Escape](crate::text::escape) it before showing it.
        path: String,
        /// The reason.
        reason: String,
    },
    /// Other drivers do not get a livery as it is on this PC: an admin has to approve it, has rejected it, or has frozen it.
    Held {
        /// The livery, as it is spelled here. [Escape](crate::text::escape) it before showing it.
        path: String,
        /// The reason.
        reason: String,
    },
    /// The league cannot take a file of this PC: it collides with a name of the league, for example.
    Refused {
        /// The file, as it is spelled here. [Escape](crate::text::escape) it before showing it.
        path: String,
        /// The reason.
        reason: String,
    },
}

impl From<&RefusedFile> for Outstanding {
    fn from(file: &RefusedFile) -> Self {
        // The server wrote it.
        Self::Refused { path: file.rel_path.clone(), reason: escape(&file.reason).into_owned() }
    }
}

impl From<&HeldNotice> for Outstanding {
    fn from(notice: &HeldNotice) -> Self {
        Self::Held { path: notice.livery.clone(), reason: hold_reason(notice) }
    }
}

impl Outstanding {
    /// Cuts the texts that may be the server's.
    pub(super) fn limit_texts(&mut self) {
        let (Self::NotInstallable { path, reason }
        | Self::Damaged { path, reason }
        | Self::ShareNeeded { path, reason }
        | Self::Held { path, reason }
        | Self::Refused { path, reason }) = self;
        limit_said(path);
        limit_said(reason);
    }
}

/// Returns why a livery is held, as a text for people.
pub(super) fn hold_reason(notice: &HeldNotice) -> String {
    let limit = notice.limit.unwrap_or_default();
    match (notice.cause, &notice.until) {
        (HoldReason::Approval, _) => "waiting for approval".to_owned(),
        (HoldReason::Freeze, Some(until)) => format!("frozen until {until}"),
        (HoldReason::Freeze, None) => "frozen until the league ends the freeze".to_owned(),
        (HoldReason::Rejected, _) => "the league has rejected this version".to_owned(),
        (HoldReason::Blocked, _) => "the league has blocked one of its files".to_owned(),
        (HoldReason::Damaged, _) => {
            "one of its files is damaged, and the league has an intact version of that".to_owned()
        }
        (HoldReason::MemberLiveries, _) if limit == 1 => {
            "the league takes at most 1 livery from each driver".to_owned()
        }
        (HoldReason::MemberLiveries, _) => {
            format!("the league takes at most {limit} liveries from each driver")
        }
        (HoldReason::MemberBytes, _) => {
            format!("the league takes at most {limit} bytes from each driver")
        }
        (HoldReason::LiveryBytes, _) => {
            format!("the league takes at most {limit} bytes in a livery")
        }
        (HoldReason::Lint, _) => match &notice.finding {
            Some(finding) => format!("it breaks a rule of the league: {}", escape(finding)),
            None => "it breaks a rule of the league".to_owned(),
        },
    }
}
