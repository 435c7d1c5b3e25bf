//! `liverysync backups`: sets, their files, and the files that were restored or removed.

use liverysync::{
    backups::{
        BackupContents, BackupFile, BackupSet, CurrentFile, FileTotals, LeftAlone, PruneReport,
        RestoreReport, RestoredFile, SetName,
    },
    escape,
};

use super::words::{block, bytes, count, files, reason};

/// Number of liveries of a set that are named.
const LIVERIES_SHOWN: usize = 5;

pub(crate) fn list(sets: &[BackupSet]) -> String {
    let mut lines: Vec<_> = sets.iter().map(set_line).collect();
    let (number, size) = sets.iter().fold((0, 0_u64), |(number, size), set| {
        (number + set.files, size.saturating_add(set.bytes))
    });
    lines.push(format!("{}, {}", count(sets.len() as u64, "backup set"), files(number, size)));
    block(&lines)
}

fn set_line(set: &BackupSet) -> String {
    let BackupSet { set: name, liveries, files: number, bytes: size, .. } = set;
    let shown: Vec<_> = liveries.iter().take(LIVERIES_SHOWN).map(|one| escape(one)).collect();
    let more = match liveries.len() - shown.len() {
        0 => String::new(),
        more => format!(", … and {more} more"),
    };
    format!("{name}  {}  {}{more} ({})", date(name), shown.join(", "), files(*number, *size))
}

/// Writes the date and time of a set: `2025-03-01 20:15:00`.
fn date(name: &SetName) -> String {
    let digits = |from: usize, to: usize| name.moment().get(from..to).unwrap_or_default();
    let day = [digits(0, 4), digits(4, 6), digits(6, 8)].join("-");
    let time = [digits(9, 11), digits(11, 13), digits(13, 15)].join(":");
    format!("{day} {time}")
}

pub(crate) fn shown(shown: &BackupContents) -> String {
    let BackupContents { set, files: all, left_alone, .. } = shown;
    let mut lines: Vec<_> = all.iter().map(shown_line).collect();
    lines.extend(skipped(left_alone));
    let size = all.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    lines.push(format!("{set}: {}", files(all.len() as u64, size)));
    block(&lines)
}

fn shown_line(file: &BackupFile) -> String {
    let BackupFile { path, bytes: size, sha256, now, .. } = file;
    let now = match now {
        CurrentFile::Same => "the current file is the same",
        CurrentFile::Another => "the current file is different",
        CurrentFile::Nothing => "there is no current file",
        _ => "the current file cannot be read",
    };
    format!("{}  {size:>12}  {}: {now}", sha256.short(), escape(path))
}

pub(crate) fn restored(done: &RestoreReport) -> String {
    let RestoreReport { set, dry_run, restored, moved_away, same, failed, .. } = done;
    let mut lines: Vec<_> = restored.iter().map(|file| restored_line(file, *dry_run)).collect();
    for path in moved_away {
        let verb = if *dry_run { "Would move" } else { "Moved" };
        let path = escape(path);
        lines.push(format!("{verb} {path}, which the game made, to the new backup set"));
    }
    lines.extend(skipped(failed));
    let size = restored.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    let what = files(restored.len() as u64, size);
    let same = match same.len() as u64 {
        0 => String::new(),
        1 => "; 1 file is already identical".to_owned(),
        several => format!("; {several} files are already identical"),
    };
    lines.push(match dry_run {
        true => format!("Dry run: would restore {what} from {set}{same}. Nothing was changed."),
        false => format!("Restored {what} from {set}{same}."),
    });
    block(&lines)
}

fn restored_line(file: &RestoredFile, dry_run: bool) -> String {
    let (path, size) = (escape(&file.path), bytes(file.bytes));
    let verb = if dry_run { "Would restore" } else { "Restored" };
    match &file.backup {
        Some(backup) => {
            format!("{verb} {path} ({size}). The file that it replaced is {}.", escape(backup))
        }
        None if file.replaced => format!("{verb} {path} ({size}), replacing the current file"),
        None => format!("{verb} {path} ({size})"),
    }
}

pub(crate) fn pruned(done: &PruneReport) -> String {
    let PruneReport { dry_run, removed, last_copies, fresh, left_alone, left, .. } = done;
    let verb = if *dry_run { "Would remove" } else { "Removed" };
    let removed_lines = removed.iter();
    let mut lines: Vec<_> = removed_lines
        .map(|file| format!("{verb} {}/{} ({})", file.set, escape(&file.path), bytes(file.bytes)))
        .collect();
    lines.extend(skipped(left_alone));
    let mut kept = |sum: &FileTotals, why: &str| {
        if sum.files > 0 {
            lines.push(format!("Kept {}: {why}", files(sum.files, sum.bytes)));
        }
    };
    kept(last_copies, "this PC has no other copy");
    kept(fresh, "younger than an hour");
    let size = removed.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    let what = files(removed.len() as u64, size);
    let rest = files(left.files, left.bytes);
    lines.push(match dry_run {
        true => format!("Dry run: would remove {what}; {rest} would stay. Nothing was changed."),
        false => format!("Removed {what}; {rest} left."),
    });
    block(&lines)
}

fn skipped(left: &[LeftAlone]) -> Vec<String> {
    let line =
        |one: &LeftAlone| format!("Skipped: {} ({})", escape(&one.path), reason(&one.reason));
    left.iter().map(line).collect()
}
