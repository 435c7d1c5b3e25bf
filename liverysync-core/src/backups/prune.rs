//! Pruning: decides which backups to remove, so that they do not grow for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::SetName;
use crate::{hash::Content, path::RelPath, time::UnixTime};

/// Age below which a backup is never removed. While a client replaces a file, its old content is in place and in the backup
/// for a moment, and then only in the backup. An hour is more than any replacement takes.
pub const FRESH: Duration = Duration::from_secs(3600);

/// A file in a backup set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The set.
    pub set: SetName,
    /// The date of the set.
    pub date: UnixTime,
    /// The file's path below the set.
    pub path: RelPath,
    /// Its length in bytes.
    pub size: u64,
    /// Its content; `None` if it is unknown. Such a file stays, and counts as a copy of nothing.
    pub content: Option<Content>,
}

/// The limits for all backups. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Largest age of a file.
    pub age: Option<Duration>,
    /// Largest size of all files together, in bytes. 0 removes everything that may be removed.
    pub bytes: Option<u64>,
}

impl Bounds {
    /// Returns true if a file is too old, or too much when `left` bytes are left including it.
    fn are_broken_by(&self, file: &Held, left: u128, now: UnixTime) -> bool {
        let too_old = self.age.is_some_and(|age| now.since(file.date) >= age);
        too_old || self.bytes.is_some_and(|most| left > most.into())
    }
}

/// The reason why a file stays although it exceeds the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stays {
    /// It is the last copy of its content.
    LastCopy,
    /// It is younger than [`FRESH`].
    Fresh,
    /// Its content is unknown.
    Unknown,
}

/// The decision of [`cut`]. Files are given by their position in its input, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Files to remove.
    pub go: Vec<usize>,
    /// Files that stay although they exceed the limits.
    pub stay: Vec<(usize, Stays)>,
}

/// Decides which files to remove, the oldest first, so that the others are within the limits.
///
/// A file is removed only if another file that stays has its content, or if `is_elsewhere` says that a copy exists outside of
/// the backups. The decision does not depend on the order of `files`, and deciding again about the remaining files changes
/// nothing.
#[must_use]
pub fn cut(
    files: &[Held],
    bounds: &Bounds,
    now: UnixTime,
    is_elsewhere: impl Fn(Content) -> bool,
) -> Cut {
    let mut copies = copies(files);
    let mut left = total(files);
    let mut go = Vec::new();
    let mut rest = Vec::new();
    for number in oldest_first(files) {
        let file = &files[number];
        let over = bounds.are_broken_by(file, left, now);
        let may_go = reason_to_stay(file, now, &copies, &is_elsewhere).is_none();
        if over && may_go {
            left -= u128::from(file.size);
            // Another file with this content must not count on this one.
            take_one(&mut copies, file.content);
            go.push(number);
        } else {
            rest.push(number);
        }
    }
    // A second round: only after the first one is it known which of the others still exceed the limits.
    let mut stay = Vec::new();
    for number in rest {
        let file = &files[number];
        if bounds.are_broken_by(file, left, now) {
            left -= u128::from(file.size);
            let why = reason_to_stay(file, now, &copies, &is_elsewhere);
            stay.extend(why.map(|why| (number, why)));
        }
    }
    Cut { go, stay }
}

/// Returns the sizes of the files that may have to be removed. [`cut`] does not need the contents of files with other sizes,
/// in the backups or elsewhere.
#[must_use]
pub fn lengths(files: &[Held], bounds: &Bounds, now: UnixTime) -> BTreeSet<u64> {
    let all = total(files);
    let over = files.iter().filter(|file| bounds.are_broken_by(file, all, now));
    over.filter(|file| !is_fresh(file, now)).map(|file| file.size).collect()
}

fn reason_to_stay(
    file: &Held,
    now: UnixTime,
    copies: &BTreeMap<Content, usize>,
    is_elsewhere: impl Fn(Content) -> bool,
) -> Option<Stays> {
    if is_fresh(file, now) {
        return Some(Stays::Fresh);
    }
    let Some(content) = file.content else { return Some(Stays::Unknown) };
    let has_another = copies.get(&content).is_some_and(|copies| *copies > 1);
    (!has_another && !is_elsewhere(content)).then_some(Stays::LastCopy)
}

fn is_fresh(file: &Held, now: UnixTime) -> bool {
    // A date in the future counts as fresh: a clock that was wrong must not cost anybody a backup.
    now.since(file.date) < FRESH
}

fn total(files: &[Held]) -> u128 {
    files.iter().map(|file| u128::from(file.size)).sum()
}

fn oldest_first(files: &[Held]) -> Vec<usize> {
    let mut numbers: Vec<_> = (0..files.len()).collect();
    numbers.sort_by_key(|&number| {
        let file = &files[number];
        // The path makes the order the same on every run.
        (file.date, &file.set, &file.path)
    });
    numbers
}

/// Counts the files of each content.
fn copies(files: &[Held]) -> BTreeMap<Content, usize> {
    let mut copies = BTreeMap::new();
    for content in files.iter().filter_map(|file| file.content) {
        *copies.entry(content).or_insert(0) += 1;
    }
    copies
}

fn take_one(copies: &mut BTreeMap<Content, usize>, content: Option<Content>) {
    if let Some(left) = content.and_then(|content| copies.get_mut(&content)) {
        *left -= 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::path::Extensions;

    const HOUR: i64 = 3_600_000_000_000;
    const NOW: UnixTime = UnixTime::from_nanos(1000 * HOUR);

    /// A content of so many bytes; those of one letter and length are the same.
    fn content(letter: u8, size: u64) -> Content {
        Content { size, ..Content::of(&[letter]) }
    }

    /// A file that is so many hours old.
    fn held(number: usize, hours: i64, size: u64, letter: Option<u8>) -> Held {
        let path = RelPath::parse(&format!("T/{number}.png"), &Extensions::default()).unwrap();
        let set: SetName = "20250301_201500".parse().unwrap();
        let date = UnixTime::from_nanos(NOW.as_nanos() - hours * HOUR);
        Held { set, date, path, size, content: letter.map(|letter| content(letter, size)) }
    }

    #[track_caller]
    fn check(
        files: &[(i64, u64, &str)],
        days: u64,
        bytes: u64,
        go: &[usize],
        stay: &[(usize, Stays)],
    ) {
        let numbered = files.iter().enumerate();
        let file = |(number, (hours, size, letter)): (usize, &(i64, u64, &str))| {
            held(number, *hours, *size, letter.bytes().next())
        };
        let files: Vec<_> = numbered.map(file).collect();
        let some = |bound: u64| (bound < u64::MAX).then_some(bound);
        let age = some(days).map(|days| Duration::from_secs(days * 86_400));
        let bounds = Bounds { age, bytes: some(bytes) };
        let decided = cut(&files, &bounds, NOW, |one| one.hash == content(b'L', 1).hash);
        assert_eq!((&*decided.go, &*decided.stay), (go, stay));
    }

    const NO: u64 = u64::MAX;

    #[test]
    fn the_oldest_go_first_and_the_last_copy_stays() {
        use Stays::{Fresh, LastCopy, Unknown};
        // `L` is what is in place.
        check(&[(48, 5, "L"), (24, 5, "L"), (23, 5, "L")], 1, NO, &[0, 1], &[]);
        check(&[(23, 5, "L"), (48, 5, "L"), (24, 5, "L")], NO, 9, &[1, 2], &[]);
        check(&[(48, 5, "L"), (24, 5, "L")], NO, 10, &[], &[]);
        check(
            &[(48, 5, "A"), (47, 5, "A"), (46, 5, "B")],
            1,
            NO,
            &[0],
            &[(1, LastCopy), (2, LastCopy)],
        );
        check(&[(48, 5, "A"), (2, 5, "A")], 1, NO, &[0], &[]);
        check(&[(48, 5, "A"), (47, 6, "A")], 1, NO, &[], &[(0, LastCopy), (1, LastCopy)]);
        check(&[(48, 5, ""), (47, 5, "L")], 1, NO, &[1], &[(0, Unknown)]);
        check(&[(2, 5, "L"), (0, 5, "L"), (-9, 5, "L")], NO, 0, &[0], &[(1, Fresh), (2, Fresh)]);
        check(&[(48, 5, "A"), (2, 5, "L"), (2, 1, "B")], NO, 6, &[1], &[]);
        check(&[(48, u64::MAX, "A"), (47, u64::MAX, "L")], NO, 0, &[1], &[(0, LastCopy)]);
    }

    fn files() -> impl Strategy<Value = Vec<Held>> {
        let file = (-1..100_i64, 1..4_u64, proptest::option::weighted(0.9, b'a'..b'f'));
        proptest::collection::vec(file, 0..24).prop_map(|files| {
            let files = files.into_iter().enumerate();
            files.map(|(number, (hours, size, letter))| held(number, hours, size, letter)).collect()
        })
    }

    fn bounds() -> impl Strategy<Value = Bounds> {
        let age =
            proptest::option::of((0..100_u64).prop_map(|hours| Duration::from_secs(3600 * hours)));
        (age, proptest::option::of(0..50_u64)).prop_map(|(age, bytes)| Bounds { age, bytes })
    }

    /// Contents that are elsewhere too.
    fn elsewhere() -> impl Strategy<Value = BTreeSet<Content>> {
        let one = (b'a'..b'f', 1..4_u64).prop_map(|(letter, size)| content(letter, size));
        proptest::collection::btree_set(one, 0..6)
    }

    fn without(files: &[Held], gone: &[usize]) -> Vec<Held> {
        let stays = |(number, _): &(usize, &Held)| !gone.contains(number);
        files.iter().enumerate().filter(stays).map(|(_, file)| file.clone()).collect()
    }

    /// The files with these numbers, by their paths.
    fn named(files: &[Held], numbers: impl IntoIterator<Item = usize>) -> BTreeSet<RelPath> {
        numbers.into_iter().map(|number| files[number].path.clone()).collect()
    }

    proptest! {
        #[test]
        fn no_content_is_lost(files in files(), bounds in bounds(), elsewhere in elsewhere()) {
            let decided = cut(&files, &bounds, NOW, |one| elsewhere.contains(&one));
            let left = without(&files, &decided.go);
            for file in &files {
                let has = |content| left.iter().any(|other| other.content == Some(content));
                prop_assert!(file.content.is_none_or(|one| elsewhere.contains(&one) || has(one)));
            }
            prop_assert!(decided.go.iter().all(|&number| files[number].content.is_some()));
        }

        #[test]
        fn the_rest_keeps_the_bounds(files in files(), bounds in bounds(), elsewhere in elsewhere()) {
            let Cut { go, stay } = cut(&files, &bounds, NOW, |one| elsewhere.contains(&one));
            let excused: Vec<_> = stay.iter().map(|(number, _)| *number).collect();
            let left = without(&files, &[go.clone(), excused].concat());
            let bytes = total(&left);
            prop_assert!(!left.iter().any(|file| bounds.are_broken_by(file, bytes, NOW)));
            let left = without(&files, &go);
            for (number, why) in stay {
                let file = &files[number];
                let copies = left.iter().filter(|one| one.content == file.content).count();
                let is_right = match why {
                    Stays::Fresh => is_fresh(file, NOW),
                    Stays::Unknown => file.content.is_none(),
                    Stays::LastCopy => file.content.is_some_and(|one| !elsewhere.contains(&one)) && copies == 1,
                };
                prop_assert!(is_right);
            }
        }

        #[test]
        fn nothing_is_removed_needlessly(files in files(), bounds in bounds(), elsewhere in elsewhere()) {
            let decided = cut(&files, &bounds, NOW, |one| elsewhere.contains(&one));
            for (at, &last) in decided.go.iter().enumerate() {
                let with_it = total(&without(&files, &decided.go[..at]));
                prop_assert!(bounds.are_broken_by(&files[last], with_it, NOW));
            }
            prop_assert!(bounds != Bounds::default() || decided == Cut::default());
        }

        #[test]
        fn deciding_again_changes_nothing(files in files(), bounds in bounds(), elsewhere in elsewhere()) {
            let first = cut(&files, &bounds, NOW, |one| elsewhere.contains(&one));
            let left = without(&files, &first.go);
            let second = cut(&left, &bounds, NOW, |one| elsewhere.contains(&one));
            prop_assert_eq!(second.go, Vec::<usize>::new());
            let stay = |files: &[Held], cut: &[(usize, Stays)]| named(files, cut.iter().map(|one| one.0));
            prop_assert_eq!(stay(&left, &second.stay), stay(&files, &first.stay));
        }

        #[test]
        fn the_order_of_the_files_does_not_matter(
            (files, other) in files().prop_flat_map(|files| (Just(files.clone()), Just(files).prop_shuffle())),
            bounds in bounds(),
            elsewhere in elsewhere(),
        ) {
            let [one, two] = [&files, &other].map(|files| {
                named(files, cut(files, &bounds, NOW, |one| elsewhere.contains(&one)).go)
            });
            prop_assert_eq!(one, two);
        }

        #[test]
        fn what_has_other_lengths_need_not_be_read(files in files(), bounds in bounds(), elsewhere in elsewhere()) {
            let lengths = lengths(&files, &bounds, NOW);
            let mut less = files.clone();
            for file in less.iter_mut().filter(|file| !lengths.contains(&file.size)) {
                file.content = None;
            }
            let is_elsewhere = |one: Content| elsewhere.contains(&one);
            let all = cut(&files, &bounds, NOW, is_elsewhere);
            prop_assert_eq!(cut(&less, &bounds, NOW, |one| lengths.contains(&one.size) && is_elsewhere(one)).go, all.go);
        }
    }
}
