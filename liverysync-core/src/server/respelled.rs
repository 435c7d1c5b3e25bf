//! The pace at which owners change the spelling of their liveries.
//!
//! A client reports a renamed file in a short message, and the league records all names of the livery anew. So each livery takes
//! one change a minute. What an owner wants meanwhile waits, and the last wish wins.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    league::{Cause, Record},
    path::{PathKey, fold},
    time::Time,
};

/// The shortest time between two changes. A driver who corrects a slip at once waits for the second one only.
const INTERVAL: Duration = Duration::from_secs(60);

/// The last changes.
#[derive(Debug, Default)]
pub(super) struct RespelledAt(BTreeMap<String, Time>);

impl RespelledAt {
    /// Returns when a name may get another spelling; `None` for now.
    pub(super) fn not_before(&self, key: &PathKey, now: Time) -> Option<Time> {
        let next = *self.0.get(key.livery())? + INTERVAL;
        (next > now).then_some(next)
    }

    /// Notes the changes of a step.
    pub(super) fn note(&mut self, records: &[Record], now: Time) {
        self.0.retain(|_, at| *at + INTERVAL > now);
        for record in records {
            if let Record::Placed { entry, cause: Cause::Renamed, .. } = record {
                self.0.insert(fold(entry.path.livery()), now);
            }
        }
    }
}
