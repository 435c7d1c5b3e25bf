use proptest::{prelude::*, sample::subsequence};

use super::*;

const STAMP: Stamp = Stamp { size: 1, mtime: UnixTime::from_nanos(0) };

#[track_caller]
fn check(files: &[&str], rules: &Rules, published: &[&str]) -> Selection {
    let listed: Vec<_> = files
        .iter()
        .map(|path| Listed { path: (*path).to_owned(), kind: Kind::File(STAMP), change_tag: 0 })
        .collect();
    let selection = select(&listed, rules);
    let got: Vec<_> = selection.publish.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(got, published);
    assert_eq!(selection.publish.len() + selection.skipped.len(), files.len());
    selection
}

#[test]
fn the_games_caches_are_skipped() {
    let files = ["T/decals.png", "T/decals_0.dds", "T/decals_1.dds", "T/SPONSORS_0.DDS"];
    let selection = check(&files, &Rules::default(), &["T/decals.png", "T/SPONSORS_0.DDS"]);
    assert!(
        matches!(&selection.skipped[0].reason, Reason::Cache(png) if png.as_str() == "T/decals.png")
    );
}

#[test]
fn what_macos_adds_is_skipped() {
    let files = [
        "T/decals.png",
        "T/._decals.png",
        "T/._.DS_Store.txt",
        "__MACOSX/T/decals.png",
        "Pack/__macosx/x.png",
        "._loose.png",
        // None of these is one.
        "T/_._decals.png",
        "T._/decals.png",
        "T/deep/._/a.png",
        "__MACOSX Racing/decals.png",
        "My __MACOSX/decals.png",
        "__macosx.png",
        "T/._",
    ];
    let published = [
        "__MACOSX Racing/decals.png",
        "__macosx.png",
        "My __MACOSX/decals.png",
        "T._/decals.png",
        "T/_._decals.png",
        "T/decals.png",
        "T/deep/._/a.png",
    ];
    let all = Rules { derived_dds: true, placeholders: true, ..Rules::default() };
    for rules in [Rules::default(), all] {
        let selection = check(&files, &rules, &published);
        let of_macos = selection.skipped.iter().filter(|item| item.reason == Reason::MacOs);
        assert_eq!(of_macos.count(), 5);
    }
}

#[test]
fn what_macos_added_is_no_longer_shared_after_an_earlier_version_did() {
    let mut known = PathMap::default();
    for path in ["T/decals.png", "T/._decals.png"] {
        let path = RelPath::parse(path, &Extensions::default()).unwrap();
        known.insert(Chosen { path, stamp: STAMP, change_tag: 0 }).unwrap();
    }
    let listed = ["T/decals.png", "T/._decals.png"].map(|path| Listed {
        path: path.to_owned(),
        kind: Kind::File(STAMP),
        change_tag: 0,
    });
    let rules = Rules::default();
    assert_eq!(select_knowing(&listed, &known, &rules), select(&listed, &rules));
}

#[test]
fn caches_are_shared_if_the_rules_say_so() {
    let rules = Rules { derived_dds: true, ..Rules::default() };
    check(&["T/decals.png", "T/decals_0.dds"], &rules, &["T/decals.png", "T/decals_0.dds"]);
}

#[test]
fn a_placeholder_is_skipped() {
    let selection = check(&["T/decals.json", "T/sponsors.json"], &Rules::default(), &[]);
    assert_eq!(selection.skipped[0].reason, Reason::Placeholder);
    check(
        &["T/decals.json", "T/decals.png", "U/x/decals.json"],
        &Rules::default(),
        &["T/decals.json", "T/decals.png", "U/x/decals.json"],
    );
}

#[test]
fn material_values_without_their_picture_are_a_placeholder_whatever_is_beside_them() {
    let beside = ["T/car.json", "T/preview.jpg", "T/readme.txt"];
    let files = [&beside[..], &["T/decals.json", "T/sponsors.json"]].concat();
    let selection = check(&files, &Rules::default(), &beside);
    assert!(selection.skipped.iter().all(|item| item.reason == Reason::Placeholder));
    // A livery of one layer stays one: the game adds the other layer's values.
    let one_layer = ["T/sponsors.json", "T/sponsors.png"];
    check(&[&one_layer[..], &["T/Decals.JSON"]].concat(), &Rules::default(), &one_layer);
    // Caches without their picture are the picture.
    let caches = ["T/decals.json", "T/decals_1.dds"];
    check(&caches, &Rules::default(), &caches);
    // The game has no use for any of these, so they are no placeholders.
    let others = ["decals.json", "T/x/decals.json"];
    check(&others, &Rules::default(), &others);
    let rules = Rules { placeholders: true, ..Rules::default() };
    check(&["T/decals.json"], &rules, &["T/decals.json"]);
}

#[test]
fn skipped_files_do_not_turn_a_placeholder_into_a_livery() {
    check(&["T/decals.json", "T/notes.exe"], &Rules::default(), &[]);
    check(
        &["T/decals.json", "t/decals.png"],
        &Rules::default(),
        &["T/decals.json", "t/decals.png"],
    );
}

#[test]
fn the_second_of_two_spellings_is_skipped() {
    let selection =
        check(&["T/A.png", "T/a.png", "t/b.png"], &Rules::default(), &["T/A.png", "t/b.png"]);
    assert!(matches!(selection.skipped[0].reason, Reason::Collision(_)));
}

/// Returns liveries and loose files whose names interact in every way that the selection knows.
fn things() -> Vec<Listed> {
    let names = [
        "decals.png",
        "DECALS.json",
        "decals.json",
        "sponsors.json",
        "decals_0.dds",
        "Sponsors_1.DDS",
        "sponsors.png",
        "a.exe",
        "._a.png",
        "__MACOSX/a.png",
        "aux.png",
        "x/decals.json",
        "decals.png/x.png",
    ];
    let livery = |livery: &'static str| names.map(|name| format!("{livery}/{name}"));
    let loose = ["t", "v.png", "V.PNG", "u", "decals.json", "bad\u{202e}.png"];
    let paths = ["T", "t", "v.png", "\u{c9}", "e\u{301}"].map(livery).concat();
    let paths = paths.into_iter().chain(loose.map(str::to_owned));
    let size = |path: &str| if path.ends_with("a.png") { 1_000 } else { 10 };
    let kind = |path: &str| Kind::File(Stamp { size: size(path), ..STAMP });
    paths.map(|path| Listed { kind: kind(&path), path, change_tag: 1 }).collect()
}

fn folder() -> impl Strategy<Value = Vec<Listed>> {
    let all = things();
    let (count, last) = (all.len(), all.len() - 1);
    let edits = prop::collection::vec((0..=last, 0..5_u64), 0..3);
    (subsequence(all, 0..=count), edits).prop_map(|(mut folder, mut edits)| {
        // An item that is listed twice is the same both times.
        edits.sort_unstable_by_key(|(_, edit)| *edit);
        for (at, edit) in edits {
            let Some(item) = folder.get_mut(at) else { continue };
            match edit {
                0 => item.kind = Kind::Link,
                1 => item.kind = Kind::File(Stamp { size: 1_000, ..STAMP }),
                2 => item.change_tag = 7,
                3 => item.kind = Kind::File(Stamp { size: 11, ..STAMP }),
                _ => {
                    let twice = item.clone();
                    folder.push(twice);
                }
            }
        }
        folder
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let entries_max = prop_oneof![3 => Just(50_000_usize), 1 => 0..60_usize];
    (any::<bool>(), any::<bool>(), entries_max).prop_map(
        |(derived_dds, placeholders, entries_max)| {
            let other = Rules { file_bytes_max: 100, ..Rules::default() };
            Rules { derived_dds, placeholders, entries_max, ..other }
        },
    )
}

/// Returns a folder in which little has changed since all files were known.
fn near(known: &PathMap<Chosen>, other: Vec<Listed>) -> Vec<Listed> {
    let is_new = |item: &Listed| known.iter().all(|file| file.path.as_str() != item.path);
    let news: Vec<_> = other.into_iter().filter(is_new).take(3).collect();
    let met = |file: &Chosen| Listed {
        path: file.path.as_str().to_owned(),
        kind: Kind::File(file.stamp),
        change_tag: file.change_tag,
    };
    known.iter().map(met).chain(news).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn known_files_do_not_change_the_selection(
        before in subsequence(things(), 0..=things().len()),
        is_near in any::<bool>(),
        (folder, rules) in (folder(), rules()),
    ) {
        let mut known = PathMap::default();
        for item in &before {
            if let Ok(file) = candidate(item, &rules) {
                let _fits = known.insert(file);
            }
        }
        let mut listed = if is_near { near(&known, folder) } else { folder };
        let chosen = select(&listed, &rules);
        prop_assert_eq!(&select_knowing(&listed, &known, &rules), &chosen);
        listed.reverse();
        prop_assert_eq!(&select_knowing(&listed, &known, &rules), &chosen);
        prop_assert_eq!(&select_knowing(&listed, &chosen.publish, &rules), &chosen);
    }
}

#[test]
fn other_extensions_are_skipped() {
    let selection = check(&["T/a.exe", "T/a.png"], &Rules::default(), &["T/a.png"]);
    assert_eq!(selection.skipped[0].reason, Reason::Extension("exe".into()));
}
