//! Backup sets on the disk: their folders and dates.

use std::path::{Path, PathBuf};

use chrono::{Local, NaiveDateTime, TimeZone as _};
use liverysync_core::{
    backups::{MOMENT_FORMAT, SetName},
    own_folders::BACKUP_FOLDER,
    time::UnixTime,
};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Returns the folder of a set, below the liveries folder.
pub(crate) fn folder_of(set: &SetName) -> PathBuf {
    Path::new(BACKUP_FOLDER).join(set.to_string())
}

/// Returns the first name for a set that is made at `date`, in local time. No set can have a year of five digits.
pub(crate) fn first_name(date: UnixTime) -> Option<SetName> {
    let (seconds, _) = date.split();
    let local = Local.timestamp_opt(seconds, 0).earliest().unwrap_or_default();
    local.format(MOMENT_FORMAT).to_string().parse().ok()
}

/// Returns the time at which a set was made, or `None` if there is no such day.
pub(super) fn date_of(name: &SetName) -> Option<UnixTime> {
    let local = NaiveDateTime::parse_from_str(name.moment(), MOMENT_FORMAT).ok()?;
    // When the clock was set back, the name means two moments. The later one makes the set seem younger, so that it is
    // kept longer.
    let seconds = match Local.from_local_datetime(&local).latest() {
        Some(date) => date.timestamp(),
        // The clock was set forward over this time, so the set was made in another time zone.
        None => local.and_utc().timestamp(),
    };
    seconds.checked_mul(NANOS_PER_SECOND).map(UnixTime::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_set_is_local_time() {
        let now = Local::now();
        let seconds = now.timestamp();
        let name = first_name(UnixTime::from_nanos(seconds * NANOS_PER_SECOND)).unwrap();
        assert_eq!(name.to_string(), now.format("%Y%m%d_%H%M%S").to_string());
        // While the clock is being set back, the name means two moments.
        let told = date_of(&name).unwrap().split().0;
        assert!((told - seconds).rem_euclid(3600) == 0, "{told}");
        for nanos in [i64::MIN, 0, i64::MAX] {
            assert!(first_name(UnixTime::from_nanos(nanos)).is_some(), "{nanos}");
        }
    }

    #[test]
    fn a_set_of_no_day_has_no_date() {
        assert_eq!(date_of(&"20200230_120000".parse().unwrap()), None);
    }
}
