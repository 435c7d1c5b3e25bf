//! Backups in words.

use std::fmt::Write as _;

use liverysync::{
    backups::{
        BackupSet, LeftAlone, Now, Pruned, PrunedFile, Restored, RestoredFile, SetName, Shown,
        ShownFile, Sum,
    },
    escape,
};

use crate::units;

/// So many liveries of a set are named.
const LIVERIES_SHOWN: usize = 5;

/// The sets, with a line each.
pub(crate) fn list(sets: &[BackupSet]) -> String {
    let mut text: String = sets.iter().map(set_line).collect();
    let (files, bytes) = sets.iter().fold((0, 0_u64), |(files, bytes), set| {
        (files + set.files, bytes.saturating_add(set.bytes))
    });
    let sets = units::count(sets.len() as u64, "backup set");
    push(&mut text, format_args!("{sets}, {}", units::files(files, bytes)));
    text
}

fn set_line(set: &BackupSet) -> String {
    let BackupSet { set: name, liveries, files, bytes, .. } = set;
    let shown: Vec<_> = liveries.iter().take(LIVERIES_SHOWN).map(|one| escape(one)).collect();
    let more = match liveries.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let files = units::files(*files, *bytes);
    format!("{name}  {}  {files}: {}{more}\n", date(name), shown.join(", "))
}

/// The date and time that a name stands for: `2025-03-01 20:15:00`.
fn date(name: &SetName) -> String {
    let digits = |from: usize, to: usize| name.moment().get(from..to).unwrap_or_default();
    let day = [digits(0, 4), digits(4, 6), digits(6, 8)].join("-");
    let time = [digits(9, 11), digits(11, 13), digits(13, 15)].join(":");
    format!("{day} {time}")
}

/// The files of a set.
pub(crate) fn shown(shown: &Shown) -> String {
    let Shown { set, files, left_alone } = shown;
    let mut text: String = files.iter().map(shown_line).collect();
    text += &left(left_alone);
    let bytes = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    push(&mut text, format_args!("{set}: {}", units::files(files.len() as u64, bytes)));
    text
}

fn shown_line(file: &ShownFile) -> String {
    let ShownFile { path, bytes, sha256, now } = file;
    let now = match now {
        Now::Same => "the same lies there now",
        Now::Another => "another lies there now",
        Now::Nothing => "nothing lies there now",
        Now::Unreadable => "what lies there now cannot be read",
    };
    format!("{}  {bytes:>12}  {}: {now}\n", sha256.short(), escape(path))
}

/// What was put back.
pub(crate) fn restored(done: &Restored) -> String {
    let Restored { set, dry_run, restored, moved_away, same, failed } = done;
    let mut text: String = restored.iter().map(|file| restored_line(file, *dry_run)).collect();
    for path in moved_away {
        let moved = if *dry_run { "would go to the backup too" } else { "went to the backup too" };
        push(&mut text, format_args!("{}: the game's own, {moved}", escape(path)));
    }
    text += &left(failed);
    let bytes = restored.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    let files = units::files(restored.len() as u64, bytes);
    let same = match same.len() as u64 {
        0 => String::new(),
        same => format!("; the same already: {}", units::count(same, "file")),
    };
    if *dry_run {
        push(
            &mut text,
            format_args!("dry run: would put back {files} of {set}{same}; nothing was changed"),
        );
    } else {
        push(&mut text, format_args!("put back {files} of {set}{same}"));
    }
    text
}

fn restored_line(file: &RestoredFile, dry_run: bool) -> String {
    let (path, size) = (escape(&file.path), units::bytes(file.bytes));
    match &file.backup {
        Some(backup) => format!("{path} ({size}); what was there: {}\n", escape(backup)),
        None if dry_run && file.replaced => format!("{path} ({size}); replaces another\n"),
        None => format!("{path} ({size})\n"),
    }
}

/// What was removed.
pub(crate) fn pruned(done: &Pruned) -> String {
    let Pruned { dry_run, removed, last_copies, fresh, left_alone, left: rest } = done;
    let mut text: String = removed.iter().map(pruned_line).collect();
    text += &left(left_alone);
    let mut kept = |sum: &Sum, why: &str| {
        if sum.files > 0 {
            push(
                &mut text,
                format_args!("kept all the same: {}: {why}", units::files(sum.files, sum.bytes)),
            );
        }
    };
    kept(last_copies, "the same is nowhere else on this PC");
    kept(fresh, "younger than an hour");
    let bytes = removed.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    let files = units::files(removed.len() as u64, bytes);
    let rest = units::files(rest.files, rest.bytes);
    if *dry_run {
        push(
            &mut text,
            format_args!("dry run: would remove {files}; {rest} would stay; nothing was changed"),
        );
    } else {
        push(&mut text, format_args!("removed {files}; {rest} left"));
    }
    text
}

fn pruned_line(file: &PrunedFile) -> String {
    format!("{}/{} ({})\n", file.set, escape(&file.path), units::bytes(file.bytes))
}

fn left(left: &[LeftAlone]) -> String {
    let line =
        |one: &LeftAlone| format!("left alone: {}: {}\n", escape(&one.path), escape(&one.reason));
    left.iter().map(line).collect()
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}
