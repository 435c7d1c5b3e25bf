//! The schedule of uploads: a pure function of the files that are wanted and the sources that have them.
//!
//! - Rarest first: files that the fewest PCs have are uploaded before those PCs disconnect.
//! - Whole liveries before scattered files: a livery is split over sessions only if it is larger than a session may be,
//!   and over sources only if no source has all of it.
//! - Work is spread: each livery goes to the source that will finish it first, judging by the rates so far.
//! - A source that is busy is asked only for files that nobody else has.

use std::collections::{BTreeMap, VecDeque};

use crate::{hash::Content, path::PathKey, union::PeerId};

/// A file that is to be uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Its key.
    pub key: PathKey,
    /// Its content.
    pub content: Content,
    /// Number of PCs that have it.
    pub copies: usize,
    /// The PCs that may be asked for it.
    pub sources: Vec<PeerId>,
}

/// The load of a PC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Number of further sessions that it can take part in.
    pub free: usize,
    /// The most bytes a second that it has uploaded so far; zero if it has not.
    pub rate: u64,
}

/// The sessions to request from each source, in order. Each is a list of files, in order.
pub type Plan = BTreeMap<PeerId, VecDeque<Vec<(PathKey, Content)>>>;

/// Plans the uploads. A session has at most `files_max` files.
#[must_use]
pub fn plan(wants: &[Want], loads: &BTreeMap<PeerId, Load>, files_max: usize) -> Plan {
    // A source that has not uploaded yet counts as the fastest. So it gets work, and its rate becomes known.
    let fastest = loads.values().map(|load| load.rate).max().unwrap_or_default().max(1);
    let mut queues: BTreeMap<PeerId, Queue<'_>> = loads
        .iter()
        .map(|(source, load)| {
            let rate = if load.rate == 0 { fastest } else { load.rate };
            (*source, Queue { busy: load.free == 0, rate, bytes: 0, liveries: Vec::new() })
        })
        .collect();
    for mut livery in group(wants) {
        // Each round takes the best source for what is left, so a livery is split only where nobody has all of it.
        while let Some(source) = best_source(&livery, &queues) {
            let (served, rest) =
                livery.into_iter().partition(|want| want.sources.contains(&source));
            livery = rest;
            if let Some(queue) = queues.get_mut(&source) {
                queue.add(served);
            }
        }
    }
    let planned = queues.into_iter().filter(|(_, queue)| !queue.liveries.is_empty());
    planned.map(|(source, queue)| (source, cut(queue.liveries, files_max))).collect()
}

/// The wanted files of one livery.
type Livery<'a> = Vec<&'a Want>;

/// The work that one source has been given so far.
struct Queue<'a> {
    busy: bool,
    rate: u64,
    bytes: u64,
    liveries: Vec<Livery<'a>>,
}

impl<'a> Queue<'a> {
    fn add(&mut self, livery: Livery<'a>) {
        // An empty file costs something, too: without that, one source would get all of them.
        self.bytes += livery.iter().map(|want| want.content.size.max(1)).sum::<u64>();
        self.liveries.push(livery);
    }

    /// Returns the milliseconds that the source needs for its work.
    const fn done_in(&self) -> u64 {
        self.bytes.saturating_mul(1000) / self.rate
    }
}

/// Groups wants by livery, the livery with the rarest file first.
fn group(wants: &[Want]) -> Vec<Livery<'_>> {
    let mut by_name: BTreeMap<&str, Livery<'_>> = BTreeMap::new();
    for want in wants.iter().filter(|want| !want.sources.is_empty()) {
        by_name.entry(want.key.livery()).or_default().push(want);
    }
    let mut liveries: Vec<_> = by_name.into_values().collect();
    // The sort is stable: liveries that are equally rare stay in the order of their names, on every server.
    liveries.sort_by_key(|files| files.iter().map(|want| want.copies).min());
    liveries
}

/// Returns the source for a livery, or for what is left of it: of those that are free and have most of it, the one that
/// finishes first.
fn best_source(livery: &Livery<'_>, queues: &BTreeMap<PeerId, Queue<'_>>) -> Option<PeerId> {
    let mut serves: BTreeMap<PeerId, usize> = BTreeMap::new();
    for source in livery.iter().flat_map(|want| &want.sources) {
        *serves.entry(*source).or_default() += 1;
    }
    // The number of files counts before the time: a livery from one source is complete, and usable, sooner than one that
    // waits for its last file from another. The last key, the source's number, makes the choice the same on every run.
    let known = serves.into_iter().filter_map(|(source, files)| {
        queues.get(&source).map(|queue| (queue.busy, usize::MAX - files, queue.done_in(), source))
    });
    known.min().map(|(.., source)| source)
}

/// Cuts liveries into sessions.
fn cut(liveries: Vec<Livery<'_>>, files_max: usize) -> VecDeque<Vec<(PathKey, Content)>> {
    let file = |want: &Want| (want.key.clone(), want.content);
    let files = |livery: Livery<'_>| livery.into_iter().map(file).collect();
    sessions(liveries.into_iter().map(files), files_max)
}

/// Puts whole liveries together into sessions of at most `files_max` files. A larger livery is split.
#[must_use]
pub fn sessions<T: Clone>(
    liveries: impl Iterator<Item = Vec<T>>,
    files_max: usize,
) -> VecDeque<Vec<T>> {
    let files_max = files_max.max(1);
    let mut sessions: VecDeque<Vec<T>> = VecDeque::new();
    for livery in liveries {
        match sessions.back_mut() {
            // Small liveries share a session, because each session costs a round trip.
            Some(last) if last.len() + livery.len() <= files_max => last.extend(livery),
            _ => sessions.extend(livery.chunks(files_max).map(<[T]>::to_vec)),
        }
    }
    sessions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::{Extensions, RelPath};

    fn want(path: &str, sources: &[u64]) -> Want {
        let path = RelPath::parse(path, &Extensions::default()).unwrap();
        let sources: Vec<_> = sources.iter().copied().map(PeerId).collect();
        let content = Content { size: 100, ..Content::of(b"x") };
        Want { key: path.key().clone(), content, copies: sources.len(), sources }
    }

    /// Plans for sources 1 to 3. Some are busy, and the third is three times as fast as the others.
    fn run(wants: &[Want], busy: &[u64], files_max: usize) -> Vec<(u64, Vec<Vec<String>>)> {
        let load = |id: u64| Load {
            free: usize::from(!busy.contains(&id)),
            rate: if id == 3 { 300 } else { 100 },
        };
        let loads: BTreeMap<_, _> = (1..=3).map(|id| (PeerId(id), load(id))).collect();
        let names = |files: Vec<(PathKey, Content)>| {
            files.iter().map(|(key, _)| key.as_str().to_owned()).collect()
        };
        plan(wants, &loads, files_max)
            .into_iter()
            .map(|(source, sessions)| (source.0, sessions.into_iter().map(names).collect()))
            .collect()
    }

    fn names(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn the_rarest_livery_is_uploaded_first() {
        let wants = [want("a/x.png", &[1, 2]), want("b/x.png", &[1]), want("c/x.png", &[1])];
        let planned = run(&wants, &[2], 1);
        assert_eq!(
            planned,
            [(1, vec![names(&["b/x.png"]), names(&["c/x.png"]), names(&["a/x.png"])])]
        );
    }

    #[test]
    fn a_busy_source_is_asked_only_for_files_that_nobody_else_has() {
        let wants = [want("a/x.png", &[1, 2]), want("b/x.png", &[1])];
        let planned = run(&wants, &[1], 50);
        assert_eq!(planned, [(1, vec![names(&["b/x.png"])]), (2, vec![names(&["a/x.png"])])]);
    }

    #[test]
    fn work_is_spread_by_rate() {
        let wants: Vec<_> = (0..8).map(|n| want(&format!("l{n}/x.png"), &[1, 3])).collect();
        let files: Vec<_> = run(&wants, &[], 50)
            .into_iter()
            .map(|(source, sessions)| (source, sessions.iter().map(Vec::len).sum::<usize>()))
            .collect();
        assert_eq!(files, [(1, 2), (3, 6)]);
    }

    #[test]
    fn a_livery_is_not_split_without_need() {
        let wants = [
            want("a/1.png", &[1]),
            want("a/2.png", &[1]),
            want("b/1.png", &[1]),
            want("b/2.png", &[1]),
        ];
        let (a, b) = (names(&["a/1.png", "a/2.png"]), names(&["b/1.png", "b/2.png"]));
        assert_eq!(run(&wants, &[], 3), [(1, vec![a, b])]);
        assert_eq!(run(&wants, &[], 1)[0].1.len(), 4);
    }

    #[test]
    fn a_livery_comes_from_several_sources_if_no_source_has_all_of_it() {
        let wants = [want("a/1.png", &[1, 2]), want("a/2.png", &[1, 2]), want("a/3.png", &[2, 3])];
        let planned = run(&wants, &[], 50);
        assert_eq!(planned, [(2, vec![names(&["a/1.png", "a/2.png", "a/3.png"])])]);
        let planned = run(&[want("a/1.png", &[1]), want("a/2.png", &[2])], &[], 50);
        assert_eq!(planned, [(1, vec![names(&["a/1.png"])]), (2, vec![names(&["a/2.png"])])]);
    }
}
