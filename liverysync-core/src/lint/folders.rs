//! Findings about a livery as a whole: its place, its name, its size.

use std::collections::BTreeMap;

use super::{Finding, Item, LintRules, Livery, names, problem::Problem};
use crate::{
    conflict::{Naming, plain_livery},
    path::fold,
    select::{is_of_macos, material_layer, picture_layer},
};

pub(super) fn judge(
    livery: Livery<'_>,
    all: &[Livery<'_>],
    rules: &LintRules,
    findings: &mut Vec<Finding>,
) {
    let of_macos = livery.0.iter().filter(|item| is_of_macos(&item.key)).count();
    if of_macos > 0 {
        findings.push(livery.finding(Problem::MacOs { files: of_macos }));
    }
    let mut add = |problem: Option<Problem>| {
        findings.extend(problem.map(|problem| livery.finding(problem)));
    };
    add(two_spellings(livery));
    // Only the game cares about loose files, and only the pictures among them are judged.
    if livery.0.iter().all(|item| item.below().is_none()) {
        return;
    }
    match nested(livery) {
        Some(problem) => add(Some(problem)),
        None => {
            let cars = cars(livery);
            add(pictures(livery).filter(|problem| *problem != Problem::NoPicture || cars.is_none()));
            add(cars);
        }
    }
    add(twin(livery, all));
    add(names::is_new_folder(livery.key()).then_some(Problem::NewFolder));
    add(name(livery, rules));
    add(size(livery, rules));
}

/// Returns the problem of a livery with two spellings of one folder, which only some disks can have.
fn two_spellings(livery: Livery<'_>) -> Option<Problem> {
    let (mut spellings, mut last) = (BTreeMap::new(), "");
    for item in livery.0 {
        let path = item.file.path;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        // Most files are in the folder of the one before.
        if folder == last {
            continue;
        }
        last = folder;
        let ends = folder.match_indices('/').map(|(at, _)| at).chain([folder.len()]);
        for one in ends.map(|end| &folder[..end]) {
            let known = *spellings.entry(fold(one)).or_insert(one);
            if known != one {
                let (one, other) = (known.to_owned(), one.to_owned());
                return Some(Problem::TwoSpellings { one, other });
            }
        }
    }
    None
}

/// Returns the problem of a folder of the game below its own `Liveries`.
fn nested(livery: Livery<'_>) -> Option<Problem> {
    match livery.key() {
        "liveries" => Some(Problem::NestedLiveries),
        "customs" => Some(Problem::NestedCustoms),
        _ => None,
    }
}

/// Returns the problem of a pack with car files in it.
fn cars(livery: Livery<'_>) -> Option<Problem> {
    let of_cars: Vec<_> = livery.0.iter().filter(|item| is_car_file(item)).collect();
    let first = of_cars.first()?;
    let folder = first.file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(Problem::Cars { folder: folder.to_owned(), files: of_cars.len() })
}

/// Returns true for JSON in a folder `Cars` that is no part of a livery's picture.
fn is_car_file(item: &Item<'_>) -> bool {
    let Some((folders, name)) = item.key.rsplit_once('/') else { return false };
    let folder = folders.rsplit('/').next().unwrap_or_default();
    folder == "cars" && name.ends_with(".json") && material_layer(name).is_none()
}

/// Returns the problem of a livery that shows nothing in the game.
fn pictures(livery: Livery<'_>) -> Option<Problem> {
    let below = || livery.shared().filter_map(Item::below);
    let has_picture = below().any(|below| picture_layer(below).is_some());
    // The game's placeholders are no livery yet.
    let is_placeholder = below().all(|below| material_layer(below).is_some());
    if has_picture || is_placeholder {
        return None;
    }
    let is_deeper = |item: &Item<'_>| {
        item.below().is_some_and(|below| below.contains('/'))
            && picture_layer(item.name()).is_some()
    };
    let nested = livery.shared().any(is_deeper);
    Some(if nested { Problem::NestedFolder } else { Problem::NoPicture })
}

/// Returns the problem of a livery that has the files of another one.
fn twin(livery: Livery<'_>, all: &[Livery<'_>]) -> Option<Problem> {
    let find = |key: &str| all.binary_search_by(|other| other.key().cmp(key)).ok();
    let find = |key: &str| find(key).and_then(|at| all.get(at)).copied();
    let copied = names::original(livery.key()).and_then(find);
    if let Some(original) = copied.filter(|original| has_same_files(livery, *original)) {
        return Some(Problem::CopyOfLivery { original: original.name().to_owned() });
    }
    let right = names::repaired(livery.name()).into_iter().filter_map(|name| find(&fold(&name)));
    let mut right = right.filter(|right| right.key() != livery.key() && looks_same(livery, *right));
    right.next().map(|right| Problem::GarbledName { right: right.name().to_owned() })
}

/// Returns true if two liveries share the same bytes under the same names.
fn has_same_files(one: Livery<'_>, other: Livery<'_>) -> bool {
    let content = |item: &Item<'_>| item.file.hash;
    is_same(one.shared(), other.shared(), |a, b| content(a).is_some() && content(a) == content(b))
}

/// Does the same for what is known: the files below a broken name are often not shared, and then nobody reads them. The game
/// makes its caches anew in each folder.
fn looks_same(one: Livery<'_>, other: Livery<'_>) -> bool {
    let is_same_file = |a: &Item<'_>, b: &Item<'_>| {
        a.file.size == b.file.size
            && (a.file.hash == b.file.hash || !a.file.is_shared || !b.file.is_shared)
    };
    is_same(without_caches(one), without_caches(other), is_same_file)
}

fn without_caches<'a>(livery: Livery<'a>) -> impl Iterator<Item = &'a Item<'a>> {
    livery.0.iter().filter(|item| !item.key.ends_with(".dds"))
}

/// Compares the files of two folders, in the order of their keys.
fn is_same<'a>(
    one: impl Iterator<Item = &'a Item<'a>>,
    other: impl Iterator<Item = &'a Item<'a>>,
    is_same_file: impl Fn(&Item<'_>, &Item<'_>) -> bool,
) -> bool {
    let (mut one, mut other) = (one.peekable(), other);
    if one.peek().is_none() {
        return false;
    }
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a.below() == b.below() && is_same_file(a, b) => {}
            _ => return false,
        }
    }
}

/// Returns the problem of a name that the league does not allow.
fn name(livery: Livery<'_>, rules: &LintRules) -> Option<Problem> {
    let allowed: Vec<_> = rules.names.globs().map(str::to_owned).collect();
    // A conflict copy has the name of its livery and digits.
    let plain = plain_livery(livery.name(), &Naming::default());
    let fits = allowed.is_empty() || rules.names.covers(&plain) || livery.shared().next().is_none();
    (!fits).then_some(Problem::NameNotAllowed { allowed })
}

/// Returns the problem of a livery that is too large.
fn size(livery: Livery<'_>, rules: &LintRules) -> Option<Problem> {
    let most = rules.max_livery_bytes?.get();
    let size = livery.shared().map(|item| item.file.size).fold(0, u64::saturating_add);
    (size > most).then_some(Problem::LiveryTooLarge { size, most })
}
