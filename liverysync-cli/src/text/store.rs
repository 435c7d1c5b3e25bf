//! `liverysync server --verify-store`: files of the store that are damaged.

use super::words::{bytes, count, files, reason};

pub(crate) fn damaged(content: &str, size: u64, why: &str) -> String {
    format!("Damaged: {content} ({}): {}", bytes(size), reason(why))
}

pub(crate) fn progress(number: u64, size: u64) -> String {
    format!("Checked {} so far.", files(number, size))
}

pub(crate) fn verified(number: u64, size: u64, wrong: u64) -> String {
    match wrong {
        0 => format!("Checked {}: all intact.", files(number, size)),
        wrong => {
            let wrong = count(wrong, "file");
            format!("Checked {}: {wrong} damaged or unreadable.", files(number, size))
        }
    }
}
