//! Files that are not shared, with the reason.

use std::collections::BTreeMap;

use liverysync::{Reason, Skipped, escape};

use super::words::{bytes, count, reason};

/// Writes a line for each livery and reason: `Skipped: Team/setup.exe (files of type exe are not shared)`.
pub(super) fn lines(head: &str, items: &[Skipped], verbose: bool) -> Vec<String> {
    let mut groups: BTreeMap<(Option<&str>, String), Vec<&Skipped>> = BTreeMap::new();
    for item in items {
        groups.entry((group(item, verbose), why(&item.reason))).or_default().push(item);
    }
    let lines = groups.into_iter().map(|((_, why), items)| {
        let what = if verbose { escape(&items[0].path).into_owned() } else { what(&items) };
        let hint = match items[0].reason {
            Reason::Damaged(_) => {
                "\nhint: save it again, or delete it to download the league's version"
            }
            _ => "",
        };
        format!("{head}{what} ({why}){hint}")
    });
    lines.collect()
}

/// The files that share a line with this one: those of its livery, or all of the game's caches, which almost every livery
/// has. A pack from a Mac has a file of macOS beside each picture.
fn group(item: &Skipped, verbose: bool) -> Option<&str> {
    match &item.reason {
        _ if verbose => Some(&item.path),
        Reason::Cache(_) | Reason::MacOs => None,
        _ => Some(livery(&item.path)),
    }
}

fn what(items: &[&Skipped]) -> String {
    match items {
        // The reason is about all of the livery.
        [Skipped { path, reason: Reason::Ignored | Reason::Unshared, .. }, ..] => {
            escape(livery(path)).into_owned()
        }
        [one] => escape(&one.path).into_owned(),
        [Skipped { reason: Reason::Cache(_) | Reason::MacOs, .. }, ..] => {
            count(items.len() as u64, "file")
        }
        [first, ..] => {
            format!("{} of {}", count(items.len() as u64, "file"), escape(livery(&first.path)))
        }
        [] => String::new(),
    }
}

fn livery(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

fn why(why: &Reason) -> String {
    match why {
        Reason::Name(fault) => reason(fault),
        Reason::Extension(extension) if extension.is_empty() => {
            "files without a type are not shared".to_owned()
        }
        Reason::Extension(extension) => {
            format!("files of type {} are not shared", escape(extension))
        }
        Reason::Cache(_) => "the game's own cache; each PC makes its own".to_owned(),
        Reason::Placeholder => "the game's placeholder; its picture is missing".to_owned(),
        Reason::MacOs => "added by macOS; nobody else needs it".to_owned(),
        Reason::Link => "links are not followed".to_owned(),
        Reason::Cloud => "only in the cloud; open it once to bring it onto this PC".to_owned(),
        Reason::Unreadable(why) => format!("cannot be read: {}", reason(why)),
        Reason::TooMany(most) => format!("this PC has more than {}", count(*most as u64, "file")),
        Reason::Ignored => "ignored on this PC".to_owned(),
        Reason::Unshared => "shared only if the league has it".to_owned(),
        Reason::Damaged(damage) => {
            format!("damaged: {}; others keep the intact version", reason(damage))
        }
        Reason::TooLarge(most) => format!("larger than {}", bytes(*most)),
        other => reason(other),
    }
}
