//! `liverysync ignore`: liveries that this PC does not want.

use liverysync::escape;

use super::words::block;

/// A change of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Removed,
}

/// Reports the change and lists all liveries that are ignored now.
pub(crate) fn ignored(change: Option<Change>, changed: &[&str], now: &[&str]) -> String {
    let mut lines = Vec::new();
    for glob in changed {
        let glob = escape(glob);
        lines.push(match change {
            Some(Change::Removed) => format!("No longer ignored: {glob}"),
            _ => format!("Ignored from now on: {glob}"),
        });
    }
    if changed.is_empty() && change.is_some() {
        lines.push("Nothing changed.".to_owned());
    }
    let all: Vec<_> = now.iter().map(|glob| escape(glob)).collect();
    lines.push(match now {
        [] => "No livery is ignored.".to_owned(),
        _ => format!("Ignored: {}", all.join(", ")),
    });
    block(&lines)
}
