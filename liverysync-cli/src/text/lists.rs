//! `liverysync ignore` and `liverysync share`: liveries that this PC does not want, and liveries that it shares.

use liverysync::escape;

use super::words::block;

/// A change of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Removed,
}

/// The parts of a list that are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) change: Option<Change>,
    pub(crate) changed: &'a [&'a str],
    /// The list as it is now.
    pub(crate) now: &'a [&'a str],
    /// The globs of it that match no livery of this PC.
    pub(crate) unmatched: &'a [String],
}

/// Reports the change and lists all liveries that are ignored now.
pub(crate) fn ignored(shown: Shown<'_>) -> String {
    let all = match shown.now {
        [] => "No livery is ignored.".to_owned(),
        now => format!("Ignored: {}", names(now)),
    };
    lines(shown, ["Ignored from now on", "No longer ignored"], all)
}

/// Reports the change and lists all liveries that are shared with a league now; `chosen` is set if the driver has chosen.
pub(crate) fn shared(league: &str, chosen: bool, shown: Shown<'_>) -> String {
    let league = escape(league);
    let all = match shown.now {
        _ if !chosen => format!(
            "You have not chosen what to share with {league}. Up to 10 liveries that are new to it are shared; more wait for you."
        ),
        [] => format!("Only liveries that {league} has are shared with it."),
        ["*"] => format!("All liveries are shared with {league}."),
        now => {
            format!("Shared with {league}: {}. What the league has is synced as well.", names(now))
        }
    };
    lines(shown, ["Shared from now on", "No longer shared"], all)
}

fn names(globs: &[&str]) -> String {
    globs.iter().map(|glob| escape(glob)).collect::<Vec<_>>().join(", ")
}

fn lines(shown: Shown<'_>, [added, removed]: [&str; 2], all: String) -> String {
    let Shown { change, changed, unmatched, .. } = shown;
    let head = if change == Some(Change::Removed) { removed } else { added };
    let mut lines: Vec<_> =
        changed.iter().map(|glob| format!("{head}: {}", escape(glob))).collect();
    if changed.is_empty() && change.is_some() {
        lines.push("Nothing changed.".to_owned());
    }
    lines.push(all);
    if !unmatched.is_empty() {
        let globs: Vec<_> = unmatched.iter().map(String::as_str).collect();
        lines.push(format!("No livery on this PC matches {}.", names(&globs)));
    }
    block(&lines)
}
