//! Who sends what to whom next: a plain function of what is missing and who is free.
//!
//! - Rarest first: what the fewest PCs hold travels before it can be lost to a log-off.
//! - Whole liveries before scattered files: a livery is split over sessions only if it is larger
//!   than a session may be.
//! - Work is spread: a session takes no more than the target's fair share from one source, so that
//!   several sources serve one target at once.
//! - Among sources, the one with the fewest sessions, then the one that served fastest, then the
//!   one that connected first.

use std::collections::BTreeMap;

use crate::{path::PathKey, union::MemberId};

/// A file that a target lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Its key in the union.
    pub key: PathKey,
    /// Number of PCs that hold it.
    pub copies: usize,
    /// The PCs that may be asked for it.
    pub sources: Vec<MemberId>,
}

/// How busy a PC is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Sessions that it could still take part in.
    pub free: usize,
    /// Sessions that it takes part in.
    pub open: usize,
    /// Bytes a second that it served at best; zero if it never did.
    pub rate: u64,
}

/// A session to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The PC that uploads.
    pub source: MemberId,
    /// The files, in the order to ask for them.
    pub keys: Vec<PathKey>,
}

/// Plans the sessions that one target can begin with. `loads` is kept up to date.
#[must_use]
pub fn plan(
    target: MemberId,
    wants: &[Want],
    loads: &mut BTreeMap<MemberId, Load>,
    files_max: usize,
) -> Vec<Session> {
    let mut liveries = group(wants);
    let mut sessions = Vec::new();
    while loads.get(&target).is_some_and(|load| load.free > 0) {
        let Some(source) = best_source(target, &liveries, loads) else { break };
        let share = fair_share(target, source, &liveries, loads).clamp(1, files_max.max(1));
        let keys = fill(source, &mut liveries, share, files_max.max(1));
        for member in [source, target] {
            if let Some(load) = loads.get_mut(&member) {
                load.free = load.free.saturating_sub(1);
                load.open += 1;
            }
        }
        sessions.push(Session { source, keys });
    }
    sessions
}

/// The wanted files of one livery.
type Livery<'a> = Vec<&'a Want>;

/// Groups wants by livery, the livery with the rarest file first.
fn group(wants: &[Want]) -> Vec<Livery<'_>> {
    let mut by_name: BTreeMap<&str, Livery<'_>> = BTreeMap::new();
    for want in wants.iter().filter(|want| !want.sources.is_empty()) {
        by_name.entry(want.key.livery()).or_default().push(want);
    }
    let mut liveries: Vec<_> = by_name.into_values().collect();
    liveries.sort_by_key(|files| files.iter().map(|want| want.copies).min());
    liveries
}

/// The best free source of the first livery that has one.
fn best_source(
    target: MemberId,
    liveries: &[Livery<'_>],
    loads: &BTreeMap<MemberId, Load>,
) -> Option<MemberId> {
    liveries.iter().find_map(|livery| {
        let mut serves: BTreeMap<MemberId, usize> = BTreeMap::new();
        for source in livery.iter().flat_map(|want| &want.sources) {
            *serves.entry(*source).or_default() += 1;
        }
        let free = serves.into_iter().filter_map(|(source, files)| {
            let load = loads.get(&source).filter(|load| load.free > 0 && source != target)?;
            Some((source, files, *load))
        });
        let best = free.min_by_key(|(source, files, load)| {
            (usize::MAX - files, load.open, u64::MAX - load.rate, *source)
        });
        best.map(|(source, ..)| source)
    })
}

/// How many files to take from `source` so that the target's other free sources get work too.
fn fair_share(
    target: MemberId,
    source: MemberId,
    liveries: &[Livery<'_>],
    loads: &BTreeMap<MemberId, Load>,
) -> usize {
    let wants = || liveries.iter().flatten();
    let sources: std::collections::BTreeSet<_> = wants()
        .flat_map(|want| &want.sources)
        .filter(|other| **other != target && loads.get(other).is_some_and(|load| load.free > 0))
        .collect();
    let slots = loads.get(&target).map_or(1, |load| load.free);
    let served = wants().filter(|want| want.sources.contains(&source)).count();
    served.div_ceil(sources.len().min(slots).max(1))
}

/// Takes files that `source` serves out of `liveries`: whole liveries up to `share` files; one that
/// is larger than the share goes whole if a session can hold it, and in part if none can.
fn fill(
    source: MemberId,
    liveries: &mut Vec<Livery<'_>>,
    share: usize,
    files_max: usize,
) -> Vec<PathKey> {
    let mut keys = Vec::new();
    for livery in liveries.iter_mut() {
        let served = livery.iter().filter(|want| want.sources.contains(&source)).count();
        let room = if keys.is_empty() { files_max } else { share.saturating_sub(keys.len()) };
        if served == 0 || (served > room && !keys.is_empty()) {
            continue;
        }
        livery.retain(|want| {
            let take = keys.len() < files_max && want.sources.contains(&source);
            if take {
                keys.push(want.key.clone());
            }
            !take
        });
        if keys.len() >= share {
            break;
        }
    }
    liveries.retain(|livery| !livery.is_empty());
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::{Extensions, RelPath};

    const TARGET: MemberId = MemberId(9);

    fn want(path: &str, sources: &[u64]) -> Want {
        let path = RelPath::parse(path, &Extensions::default()).unwrap();
        let sources: Vec<_> = sources.iter().copied().map(MemberId).collect();
        Want { key: path.key().clone(), copies: sources.len(), sources }
    }

    fn run(wants: &[Want], busy: &[u64], files_max: usize) -> Vec<(u64, Vec<String>)> {
        let load = |id: u64| Load { free: usize::from(!busy.contains(&id)), open: 0, rate: 0 };
        let mut loads: BTreeMap<_, _> = (0..9).map(|id| (MemberId(id), load(id))).collect();
        loads.insert(TARGET, Load { free: 3, open: 0, rate: 0 });
        plan(TARGET, wants, &mut loads, files_max)
            .into_iter()
            .map(|session| {
                let keys = session.keys.iter().map(|key| key.as_str().to_owned()).collect();
                (session.source.0, keys)
            })
            .collect()
    }

    fn names(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn the_rarest_livery_travels_first() {
        let wants = [want("a/x.png", &[1, 2]), want("b/x.png", &[1])];
        assert_eq!(run(&wants, &[2], 1), [(1, names(&["b/x.png"]))]);
    }

    #[test]
    fn a_busy_client_is_avoided() {
        assert_eq!(run(&[want("a/x.png", &[1, 2])], &[1], 50), [(2, names(&["a/x.png"]))]);
        assert_eq!(run(&[want("a/x.png", &[1])], &[1], 50), []);
    }

    #[test]
    fn several_sources_serve_one_target() {
        let wants: Vec<_> = (0..6).map(|n| want(&format!("l{n}/x.png"), &[1, 2])).collect();
        let sessions = run(&wants, &[], 50);
        assert_eq!(
            sessions.iter().map(|(source, keys)| (*source, keys.len())).collect::<Vec<_>>(),
            [(1, 3), (2, 3)]
        );
    }

    #[test]
    fn a_livery_is_not_split_without_need() {
        let wants = [
            want("a/1.png", &[1]),
            want("a/2.png", &[1]),
            want("b/1.png", &[1]),
            want("b/2.png", &[1]),
        ];
        assert_eq!(run(&wants, &[], 3), [(1, names(&["a/1.png", "a/2.png"]))]);
        assert_eq!(run(&wants, &[], 1), [(1, names(&["a/1.png"]))]);
    }

    #[test]
    fn nothing_is_asked_of_the_target_itself() {
        assert_eq!(run(&[want("a/x.png", &[9])], &[], 50), []);
    }
}
