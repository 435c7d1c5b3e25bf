//! Numbers, names and lists as they are written in every text.

use std::{collections::BTreeMap, fmt, time::Duration};

use liverysync::{NAME_CHARS_MAX, Outstanding, RelPath, escape, escape_limited};

/// Hint for a list that cannot be read.
pub(crate) const LIST_ENCODING: &str = "save it as a text file in UTF-8";

/// Length of a list after which the rest is counted.
pub(super) const LIST_MAX: usize = 10;

/// Writes a number of bytes: `17 bytes`, `1.2 kB`, `340 MB`. A kB has 1,000 bytes.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if number < 1000 {
        return count(number, "byte");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = number as f64 / 1000.0;
    let mut unit = 0;
    // 999.5 would be shown as 1000 of its unit.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(value < 9.95);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// Writes a number of things: `1 file`, `2 files`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    match (number, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {thing}s"),
    }
}

/// Writes a number of liveries and their size: `61 liveries, 340 MB`.
pub(crate) fn liveries(number: usize, size: u64) -> String {
    format!("{}, {}", count(number as u64, "livery"), bytes(size))
}

/// Writes a number of files and their size: `2 files, 1.2 kB`.
pub(crate) fn files(number: u64, size: u64) -> String {
    format!("{}, {}", count(number, "file"), bytes(size))
}

/// Writes a duration: `0.4 s`, `12 s`, `3 min 5 s`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1}", time.as_secs_f64()).trim_end_matches(".0").to_owned() + " s",
        10..60 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// Writes a driver's name so that it cannot act on a terminal.
pub(crate) fn name(name: &str) -> String {
    escape_limited(name, NAME_CHARS_MAX).into_owned()
}

/// Writes a path so that it cannot act on a terminal.
pub(crate) fn path(path: &RelPath) -> String {
    escape(path.as_str()).into_owned()
}

/// Lists what this PC lacks although it is in sync: `1 file of 77 Iris (the folder is not writable)`.
pub(super) fn outstanding(all: &[Outstanding]) -> Vec<String> {
    let not_installable = |item: &Outstanding| match item {
        Outstanding::NotInstallable { path, reason } => Some((path.clone(), reason.clone())),
        _ => None,
    };
    by_reason(&all.iter().filter_map(not_installable).collect::<Vec<_>>())
}

/// Lists the damaged files of this PC of which the league has intact versions: `77 Iris/decals.png (it is empty)`.
pub(super) fn damaged(all: &[Outstanding]) -> Vec<String> {
    let damaged = |item: &Outstanding| match item {
        Outstanding::Damaged { path, reason } => Some((path.clone(), reason.clone())),
        _ => None,
    };
    by_reason(&all.iter().filter_map(damaged).collect::<Vec<_>>())
}

/// Lists the files of this PC that the league cannot take: `x/decals.png (x is a file, so it cannot contain files)`.
pub(super) fn refused(all: &[Outstanding]) -> Vec<String> {
    let refused = |item: &Outstanding| match item {
        Outstanding::Refused { path, reason } => Some((path.clone(), reason.clone())),
        _ => None,
    };
    by_reason(&all.iter().filter_map(refused).collect::<Vec<_>>())
}

/// Lists the liveries of this PC that other drivers do not get as they are here: `77 Iris (waiting for approval)`.
pub(super) fn held(all: &[Outstanding]) -> Vec<String> {
    let lines = all.iter().filter_map(|item| match item {
        Outstanding::Held { path, reason } => {
            Some(format!("{} ({})", escape(path), self::reason(reason)))
        }
        _ => None,
    });
    lines.collect()
}

/// Lists the liveries of this PC that wait for their driver to choose.
pub(super) fn undecided(all: &[Outstanding]) -> Vec<String> {
    let lines = all.iter().filter_map(|item| match item {
        Outstanding::ShareNeeded { path, .. } => Some(escape(path).into_owned()),
        _ => None,
    });
    lines.collect()
}

/// Writes a line for each livery and reason.
pub(super) fn by_reason(files: &[(String, String)]) -> Vec<String> {
    let mut liveries: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (file, why) in files {
        let livery = file.split('/').next().unwrap_or_default();
        liveries.entry((livery, why)).or_default().push(file);
    }
    let lines = liveries.into_iter().map(|((livery, why), files)| match &*files {
        [file] => format!("{} ({})", escape(file), reason(why)),
        several => {
            let files = count(several.len() as u64, "file");
            format!("{files} of {} ({})", escape(livery), reason(why))
        }
    });
    lines.collect()
}

/// Writes a reason without the number that the system adds to its errors.
pub(crate) fn reason(reason: impl fmt::Display) -> String {
    let text = reason.to_string();
    let Some((start, rest)) = text.split_once(" (os error ") else {
        return escape(&text).into_owned();
    };
    let rest = rest.split_once(')').map_or("", |(_, rest)| rest);
    escape(&format!("{start}{rest}")).into_owned()
}

/// Writes a date such as `2026-03-09T18:30:00Z`: `2026-03-09 18:30:00 UTC`.
pub(crate) fn date(date: &str) -> String {
    escape(&date.replace('T', " ").replace('Z', " UTC")).into_owned()
}

/// Joins names: `Aoi`, `Aoi and Bruno`, `Aoi, Bruno and Chloé`.
pub(crate) fn join(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

/// Cuts a list of lines after ten and counts the rest: `… and 51 more`.
pub(crate) fn cut(mut lines: Vec<String>) -> Vec<String> {
    // A line that counts one line would save nothing.
    if lines.len() > LIST_MAX + 1 {
        let more = lines.len() - LIST_MAX;
        lines.truncate(LIST_MAX);
        lines.push(format!("… and {more} more"));
    }
    lines
}

/// Ends every line with a line break.
pub(crate) fn block(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Groups files by livery, in the order of their names.
pub(crate) fn by_livery<T>(
    files: impl IntoIterator<Item = T>,
    path: impl Fn(&T) -> &RelPath,
) -> Vec<(String, Vec<T>)> {
    let mut groups: BTreeMap<String, (String, Vec<T>)> = BTreeMap::new();
    for file in files {
        let at = path(&file);
        let key = at.key().livery().to_owned();
        let name = escape(at.livery()).into_owned();
        groups.entry(key).or_insert_with(|| (name, Vec::new())).1.push(file);
    }
    groups.into_values().collect()
}

/// Writes a line for each livery: `Team (4 files, 8.1 MB)`.
pub(crate) fn livery_lines(files: &[(RelPath, u64)]) -> Vec<String> {
    let line = |(livery, files): (String, Vec<&(RelPath, u64)>)| {
        let size = files.iter().map(|(_, size)| size).sum();
        format!("{livery} ({})", self::files(files.len() as u64, size))
    };
    by_livery(files, |(path, _)| path).into_iter().map(line).collect()
}

/// Writes a line for each file: `Team/decals.png (4.1 MB)`.
pub(crate) fn file_lines(files: &[(RelPath, u64)]) -> Vec<String> {
    files.iter().map(|(file, size)| format!("{} ({})", path(file), bytes(*size))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_three_digits() {
        for (number, words) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (340_300_000, "340 MB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(bytes(number), words);
        }
    }

    #[test]
    fn things_are_counted() {
        assert_eq!(count(1, "livery"), "1 livery");
        assert_eq!(count(61, "livery"), "61 liveries");
        assert_eq!(count(0, "file"), "0 files");
    }

    #[test]
    fn durations_are_written() {
        for (seconds, words) in
            [(0.44, "0.4 s"), (8.0, "8 s"), (12.6, "12 s"), (185.0, "3 min 5 s")]
        {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), words);
        }
    }

    #[test]
    fn a_list_is_cut_after_ten() {
        let lines = |number: usize| (0..number).map(|line| line.to_string()).collect::<Vec<_>>();
        assert_eq!(cut(lines(11)), lines(11));
        let cut = cut(lines(61));
        assert_eq!((cut.len(), cut[10].as_str()), (11, "… and 51 more"));
    }

    #[test]
    fn a_reason_has_no_number_of_the_system() {
        let error = std::io::Error::from_raw_os_error(2);
        assert!(!reason(&error).contains("os error"), "{error}");
        assert_eq!(reason("gone (os error 5): x\u{1b}"), "gone: x\\u{1b}");
    }
}
