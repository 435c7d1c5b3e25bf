//! Findings about single files of a livery.

use super::{
    Finding, Item, LintRules, Livery,
    names::{original, pc_of_copy},
    problem::Problem,
};
use crate::{
    conflict::{Naming, plain_stem},
    path::fold,
    select::{material_layer, picture_layer},
};

/// The usual liveries folder on Windows, where OneDrive keeps the documents of somebody with a long name. The paths of a
/// livery have to fit below it on every driver's PC.
const WINDOWS_ROOT: &str =
    r"C:\Users\Firstname Lastname\OneDrive\Documents\Assetto Corsa Competizione\Customs\Liveries\";

/// Most UTF-16 units of a full path. Windows itself ends at 260, and programs add to the names of files that they save.
const PATH_UNITS_MAX: usize = 240;

/// The text that a conflict adds to a name.
const CONFLICT_UNITS: usize = "__CONFLICT__00000000".len();

/// The extensions of pictures.
const PICTURES: [&str; 4] = ["png", "dds", "jpg", "jpeg"];

type Rule = fn(Livery<'_>, &Item<'_>, &LintRules) -> Option<Problem>;

/// The rules for files, in the order in which a livery's findings are listed.
const RULES: [Rule; 8] =
    [loose, copied, copied_by_one_drive, damaged, pixels, long_path, too_large, not_allowed];

pub(super) fn judge(livery: Livery<'_>, rules: &LintRules, findings: &mut Vec<Finding>) {
    for rule in RULES {
        let found = livery.shared().filter_map(|item| Some((item, rule(livery, item, rules)?)));
        findings.extend(found.map(|(item, problem)| livery.finding_in(item, problem)));
    }
}

fn loose(_: Livery<'_>, item: &Item<'_>, _: &LintRules) -> Option<Problem> {
    let (_, extension) = split(&item.key);
    (item.below().is_none() && PICTURES.contains(&extension)).then_some(Problem::LoosePicture)
}

fn copied(livery: Livery<'_>, item: &Item<'_>, _: &LintRules) -> Option<Problem> {
    let (stem, extension) = split(item.name());
    let folder = item.key.strip_suffix(item.name())?;
    let beside = livery.get(&format!("{folder}{}.{extension}", original(stem)?))?;
    let is_same = item.file.hash.is_some() && item.file.hash == beside.file.hash;
    is_same.then(|| Problem::CopyOfFile { original: file_name(beside).to_owned() })
}

fn copied_by_one_drive(livery: Livery<'_>, item: &Item<'_>, _: &LintRules) -> Option<Problem> {
    let (stem, extension) = split(file_name(item));
    let folder = item.key.strip_suffix(item.name())?;
    let layer = stem.split('-').next()?;
    let pc = pc_of_copy(stem, layer)?;
    let beside = livery.get(&fold(&format!("{folder}{layer}.{extension}")))?;
    // Other names may well have an ending in capitals.
    let is_of_game = [picture_layer, material_layer].iter().any(|of| of(beside.name()).is_some());
    let problem =
        || Problem::OneDriveCopy { original: file_name(beside).to_owned(), pc: pc.to_owned() };
    is_of_game.then(problem)
}

fn damaged(_: Livery<'_>, item: &Item<'_>, _: &LintRules) -> Option<Problem> {
    item.file.inspection.damage.map(Problem::Damaged)
}

fn pixels(_: Livery<'_>, item: &Item<'_>, rules: &LintRules) -> Option<Problem> {
    let pixels @ (width, height) = item.file.inspection.pixels?;
    let is_of_game = item.below().is_some_and(|below| picture_layer(below).is_some());
    if is_of_game && width == height && rules.picture_sides.iter().any(|side| side.get() == width) {
        return None;
    }
    let most = rules.max_picture_side.get();
    if width.max(height) > most {
        return Some(Problem::PictureTooLarge { pixels, most });
    }
    let sides = || rules.picture_sides.iter().map(|side| side.get()).collect();
    is_of_game.then(|| Problem::PictureSize { pixels, sides: sides() })
}

fn long_path(_: Livery<'_>, item: &Item<'_>, _: &LintRules) -> Option<Problem> {
    let units = item.file.path.encode_utf16().count();
    let is_conflict_copy = item.file.path.contains(&Naming::default().suffix);
    let units = WINDOWS_ROOT.len() + units + if is_conflict_copy { 0 } else { CONFLICT_UNITS };
    (units > PATH_UNITS_MAX).then_some(Problem::LongPath { units, most: PATH_UNITS_MAX })
}

fn too_large(_: Livery<'_>, item: &Item<'_>, rules: &LintRules) -> Option<Problem> {
    let (size, most) = (item.file.size, rules.max_file_bytes?.get());
    (size > most).then_some(Problem::FileTooLarge { size, most })
}

fn not_allowed(_: Livery<'_>, item: &Item<'_>, rules: &LintRules) -> Option<Problem> {
    item.below()?;
    // Most leagues allow all, and this is asked of every file.
    if rules.files.globs().len() == 0 {
        return None;
    }
    let (stem, extension) = split(file_name(item));
    let plain = format!("{}.{extension}", plain_stem(stem, &Naming::default()));
    let allowed = || rules.files.globs().map(str::to_owned).collect();
    (!rules.files.covers(&plain)).then(|| Problem::FileNotAllowed { allowed: allowed() })
}

/// Returns the file name, as the disk spells it.
fn file_name<'a>(item: &Item<'a>) -> &'a str {
    item.file.path.rsplit('/').next().unwrap_or_default()
}

/// Splits a file name into its stem and its extension.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or((name, ""))
}
