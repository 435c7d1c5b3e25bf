use proptest::prelude::*;

use super::*;
use crate::inspect::Damage;

/// Makes a shared file with bytes of its own. A picture has 4096 pixels a side.
fn file(path: &str) -> LintFile<'_> {
    let mut file = LintFile::new(path, 1_000);
    file.hash = Some(ContentHash::of(path.as_bytes()));
    if path.to_lowercase().ends_with(".png") {
        file.inspection.pixels = Some((4096, 4096));
    }
    file
}

/// Makes a file with these bytes.
fn with<'a>(path: &'a str, bytes: &str) -> LintFile<'a> {
    LintFile { hash: Some(ContentHash::of(bytes.as_bytes())), ..file(path) }
}

fn unshared(path: &str) -> LintFile<'_> {
    LintFile { is_shared: false, hash: None, inspection: Inspection::default(), ..file(path) }
}

fn picture(path: &str, width: u32, height: u32) -> LintFile<'_> {
    let inspection = Inspection { pixels: Some((width, height)), ..Inspection::default() };
    LintFile { inspection, ..file(path) }
}

/// Returns the kind of each finding with what it is about.
fn found(files: &[LintFile<'_>], rules: &LintRules) -> Vec<String> {
    let findings = lint(files, rules);
    let what = |finding: &Finding| finding.path.clone().unwrap_or_else(|| finding.livery.clone());
    findings.iter().map(|finding| format!("{} {}", finding.kind(), what(finding))).collect()
}

#[track_caller]
fn check(files: &[LintFile<'_>], expected: &[&str]) {
    assert_eq!(found(files, &LintRules::default()), expected, "{files:?}");
}

#[track_caller]
fn check_paths(paths: &[&str], expected: &[&str]) {
    check(&paths.iter().map(|path| file(path)).collect::<Vec<_>>(), expected);
}

fn rules(toml: serde_json::Value) -> LintRules {
    serde_json::from_value(toml).unwrap()
}

#[test]
fn real_liveries_have_no_findings() {
    check_paths(
        &[
            "#2_TeamIris_992/decals.png",
            "#2_TeamIris_992/decals.json",
            "#2_TeamIris_992/sponsors.png",
            "#2_TeamIris_992/sponsors.json",
            "904_GT3_Lamborghini_PumpnPak/Decals.PNG",
            "904_GT3_Lamborghini_PumpnPak/readme.txt",
            "904_GT3_Lamborghini_PumpnPak/preview.jpg",
            "Super Taikyu TKRI Marin Kitagawa AMG GT3/sponsors.png",
            "42-201016-095902/decals_0.dds",
            "42-201016-095902/decals_1.dds",
            "Équipe Chloé/decals.png",
            "チームレッド/decals.png",
            // The game's placeholder.
            "Unseen/decals.json",
            "Unseen/sponsors.json",
            // The league's conflict copies.
            "League Safety Car/decals.png",
            "League Safety Car/decals__CONFLICT__14468801.png",
            "Team__CONFLICT__14468801/decals.png",
        ],
        &[],
    );
    check(&[], &[]);
}

#[test]
fn the_games_own_folders_inside_the_liveries_are_found() {
    check_paths(&["Liveries/Team/decals.png"], &["nested-liveries Liveries"]);
    check_paths(&["liveries/decals.png"], &["nested-liveries liveries"]);
    check_paths(
        &["Customs/Liveries/Team/decals.png", "Customs/Cars/501.json"],
        &["nested-liveries Customs"],
    );
    // A livery may have such a name in its own.
    check_paths(&["Liveries of Aoi/decals.png", "Team/Liveries/old.png", "Team/decals.png"], &[]);
}

#[test]
fn car_files_are_found() {
    check_paths(&["Cars/501-201016-095902.json"], &["cars-folder Cars"]);
    check_paths(
        &["Season pack/Cars/501.json", "Season pack/Liveries/904/decals.png"],
        &["nested-folder Season pack", "cars-folder Season pack"],
    );
    // A livery called so, and JSON elsewhere.
    check_paths(&["Cars/decals.png", "Cars/decals.json", "Team/car.json", "Team/decals.png"], &[]);
    check_paths(
        &["Cars 2/decals.png", "Cars 2/a.json", "My Cars/x.png/decals.json"],
        &["no-picture My Cars"],
    );
}

#[test]
fn loose_pictures_are_found() {
    check_paths(&["decals.png"], &["loose-picture decals.png"]);
    check_paths(&["preview.JPG"], &["loose-picture preview.JPG"]);
    check_paths(&["readme.txt", "501.json"], &[]);
    check_paths(&["Team.png/decals.png"], &[]);
}

#[test]
fn what_macos_added_is_found_once_for_each_livery() {
    check(
        &[file("Team/decals.png"), unshared("Team/._decals.png"), unshared("Team/x/._a.png")],
        &["macos Team"],
    );
    check(&[unshared("__MACOSX/Team/._decals.png")], &["macos __MACOSX"]);
    check_paths(
        &["_Team/decals.png", "__MACOSX Racing/decals.png", "Team/_.png", "Team/decals.png"],
        &[],
    );
}

#[test]
fn a_livery_without_pictures_is_found() {
    check_paths(&["Team/preview.jpg", "Team/decals.json"], &["no-picture Team"]);
    check_paths(&["Pack/904/decals.png", "Pack/77/sponsors.png"], &["nested-folder Pack"]);
    check_paths(&["Team/decals.png", "Team/old/decals.png"], &[]);
    check(&[unshared("Team/work.psd")], &[]);
}

#[test]
fn copies_are_found_if_they_have_the_same_bytes() {
    for copy in [
        "decals - Copy",
        "decals - Copy (2)",
        "decals - Kopie",
        "decals - Copie (3)",
        "decals - Copia",
        "decals - copia",
        "decals - Cópia",
        "decals - Co\u{301}pia",
        "Copy of decals",
        "Kopie von decals",
        "Copie de decals",
        "Copia di decals",
        "Copia de decals",
        "Cópia de decals",
        "decals copy",
        "decals copy 2",
        "decals - Copy - Copy",
    ] {
        let path = format!("Team/{copy}.png");
        let original = [with("Team/decals.png", "a"), with("Team/decals - Copy.png", "b")];
        let same = with(&path, if copy.ends_with("Copy - Copy") { "b" } else { "a" });
        let files = [original[0], same];
        let all = if copy.ends_with("Copy - Copy") {
            vec![original[0], original[1], same]
        } else {
            files.to_vec()
        };
        check(&all, &[&format!("copy {path}")]);
        // Another version of it, and a file whose bytes nobody has read.
        check(&[original[0], with(&path, "c")], &[]);
        check(&[original[0], LintFile { hash: None, ..same }], &[]);
    }
    check(&[with("Team/decals.png", "a"), with("Team/sponsors.png", "a")], &[]);
    check(
        &[
            with("Team/decals.png", "a"),
            with("Other/decals - Copy.png", "a"),
            file("Other/decals.png"),
        ],
        &[],
    );
    check(&[with("Team/decals.png", "a"), with("Team/carbon copy.png", "a")], &[]);
}

#[test]
fn copied_liveries_are_found_if_they_have_the_same_files() {
    let team = [with("Team/decals.png", "a"), with("Team/decals.json", "j")];
    for copy in ["Team - Copy", "team - kopie (2)", "Copia de Team"] {
        let paths = [format!("{copy}/decals.png"), format!("{copy}/decals.json")];
        let same = [with(&paths[0], "a"), with(&paths[1], "j")];
        let expected = format!("copy {copy}");
        check(&[team, same].concat(), &[&expected]);
        // The game makes its caches in one of them only.
        check(&[&team[..], &same, &[unshared("Team/decals_0.dds")]].concat(), &[&expected]);
        check(&[team, [same[0], with(&paths[1], "k")]].concat(), &[]);
        check(&[&team[..], &same[..1]].concat(), &[]);
        check(&same, &[]);
    }
    check(
        &[team, [with("Scuderia Copia/decals.png", "a"), with("Scuderia Copia/decals.json", "j")]]
            .concat(),
        &[],
    );
}

#[test]
fn copies_that_one_drive_made_are_found() {
    for copy in [
        "decals-DESKTOP-1A2B3C4.png",
        "decals-AOI-PC.png",
        "Decals-PCNAME.png",
        "decals-AOI-PC-2.png",
    ] {
        let path = format!("Team/{copy}");
        check(&[file("Team/decals.png"), file(&path)], &[&format!("onedrive-copy {path}")]);
        check(&[file(&path), file("Team/sponsors.png")], &[]);
    }
    for other in [
        "decals-old.png",
        "decals-RED.png",
        "decals-V2.png",
        "decals-2024.png",
        "decals-FINAL.png",
        "decals-.png",
        "preview-DESKTOP-1A.png",
        "decals-DESKTOP-1.txt",
    ] {
        let path = format!("Team/{other}");
        check(
            &[
                file("Team/decals.png"),
                file("Team/preview.png"),
                file("Team/decals.txt"),
                file(&path),
            ],
            &[],
        );
    }
}

#[test]
fn folders_that_differ_only_in_case_are_found() {
    let names = ["Team/decals.png", "Team/sub/a.txt", "team/sponsors.png"];
    check(&names.map(file), &["two-spellings Team"]);
    check(
        &["Team/decals.png", "Team/sub/a.txt", "Team/Sub/b.txt"].map(file),
        &["two-spellings Team"],
    );
    check(&["Team/decals.png", "Team/sub/a.txt", "Team 2/decals.png"].map(file), &[]);
}

#[test]
fn names_that_were_read_in_another_encoding_are_found() {
    for (right, wrong) in [
        ("Équipe Chloé", "Ã‰quipe ChloÃ©"),
        ("Équipe Chloé", "Ã\u{89}quipe ChloÃ©"),
        ("Équipe Chloé", "├ëquipe Chlo├⌐"),
        // As macOS packs it.
        ("Équipe", "EÌ\u{81}quipe"),
        ("チーム", "ãƒ\u{81}ãƒ¼ãƒ\u{a0}"),
    ] {
        let paths = [format!("{right}/decals.png"), format!("{wrong}/decals.png")];
        let files = [with(&paths[0], "a"), with(&paths[1], "a")];
        check(&files, &[&format!("garbled-name {wrong}")]);
        // A name with control characters is not shared, so nobody reads the files.
        check(
            &[files[0], LintFile { hash: None, is_shared: false, ..files[1] }],
            &[&format!("garbled-name {wrong}")],
        );
        check(&[files[0], with(&paths[1], "b")], &[]);
        check(&[files[0], LintFile { size: 7, ..files[1] }], &[]);
        check(&files[1..], &[]);
    }
    // Two liveries with the same files and names of their own.
    check(&[with("Équipe/decals.png", "a"), with("Équipé/decals.png", "a")], &[]);
    check(&[with("Équipe/decals.png", "a"), with("Equipe/decals.png", "a")], &[]);
}

#[test]
fn new_folders_are_found() {
    for name in [
        "New folder",
        "New folder (2)",
        "NEUER ORDNER",
        "Nouveau dossier (3)",
        "Nuova cartella",
        "Nueva carpeta",
        "Nova pasta",
    ] {
        check_paths(&[&format!("{name}/decals.png")], &[&format!("new-folder {name}")]);
    }
    for name in ["New folder Racing", "New", "New folder(2)", "The new folder", "Nova"] {
        check_paths(&[&format!("{name}/decals.png")], &[]);
    }
}

#[test]
fn paths_that_are_too_long_for_windows_are_found() {
    // With the usual folder and a conflict name that is 240 units.
    let (units, end) = (129, "/decals.png");
    let path = |units: usize, c: &str| {
        format!("{}{end}", c.repeat((units - end.len()) / c.encode_utf16().count()))
    };
    check_paths(&[&path(units, "T")], &[]);
    let longer = path(units + 1, "T");
    check_paths(&[&longer], &[&format!("long-path {longer}")]);
    // UTF-16 counts, and neither bytes nor characters.
    check_paths(&[&path(units, "é")], &[]);
    let cars = path(units + 2, "🏎");
    check_paths(&[&cars], &[&format!("long-path {cars}")]);
    let files = [file(&longer)];
    assert_eq!(
        lint(&files, &LintRules::default())[0].fix(),
        "shorten the names in its path by 1 characters or more"
    );
    let copy = format!("{}/decals__CONFLICT__14468801.png", "T".repeat(100));
    check_paths(&[&copy, &format!("{}/decals.png", "T".repeat(100))], &[]);
}

#[test]
fn pictures_of_a_wrong_size_are_found() {
    for (path, width, height, expected) in [
        ("T/decals.png", 4096, 4096, None),
        ("T/sponsors.png", 2048, 2048, None),
        ("T/decals.png", 1024, 1024, Some("picture-size")),
        ("T/Sponsors.PNG", 4096, 2048, Some("picture-size")),
        ("T/decals.png", 8192, 8192, Some("picture-too-large")),
        ("T/preview.png", 4097, 100, Some("picture-too-large")),
        ("T/preview.png", 4096, 100, None),
        ("T/x/decals.png", 100, 100, None),
        ("T/decals2.png", 100, 100, None),
    ] {
        let expected: Vec<_> = expected.iter().map(|kind| format!("{kind} {path}")).collect();
        let files = [file("T/decals_0.dds"), picture(path, width, height)];
        assert_eq!(found(&files, &LintRules::default()), expected, "{path} {width} {height}");
    }
    let rules = rules(serde_json::json!({"picture-sides": [8192], "max-picture-side": 100}));
    assert!(found(&[picture("T/decals.png", 8192, 8192)], &rules).is_empty());
    assert_eq!(
        found(&[picture("T/decals.png", 2048, 2048)], &rules),
        ["picture-too-large T/decals.png"]
    );
}

#[test]
fn damaged_files_are_found() {
    let inspection = Inspection { damage: Some(Damage::NoEnd), ..Inspection::default() };
    check(&[LintFile { inspection, ..file("T/decals.png") }], &["damaged T/decals.png"]);
}

#[test]
fn a_league_can_limit_sizes() {
    let rules = rules(serde_json::json!({"max-file-bytes": 1_000, "max-livery-bytes": 1_500}));
    let small = LintFile { size: 500, ..file("T/sponsors.png") };
    assert!(found(&[file("T/decals.png"), small, file("U/decals.png")], &rules).is_empty());
    // The game's caches do not count.
    assert!(found(&[file("T/decals.png"), small, unshared("T/decals_0.dds")], &rules).is_empty());
    let larger = LintFile { size: 1_001, ..file("T/decals.png") };
    assert_eq!(
        found(&[larger, small], &rules),
        ["livery-too-large T", "file-too-large T/decals.png"]
    );
}

#[test]
fn a_league_can_set_names() {
    let rules = rules(
        serde_json::json!({"names": ["#*_*", "Safety?Car"], "files": ["decals.*", "Sponsors.png"]}),
    );
    let fits = [
        "#2_TeamIris_992/DECALS.PNG",
        "safety car/sponsors.png",
        "#2_X/decals__CONFLICT__14468801.png",
        "#2_X/decals.png",
        "#3_X__CONFLICT__14468801/decals.png",
    ];
    assert_eq!(found(&fits.map(file), &rules), [""; 0]);
    let other = [
        "904_GT3/decals.png",
        "#2_TeamIris_992/decals.png",
        "#2_TeamIris_992/readme.txt",
        "readme.txt",
    ];
    assert_eq!(
        found(&other.map(file), &rules),
        ["file-not-allowed #2_TeamIris_992/readme.txt", "name-not-allowed 904_GT3"]
    );
}

#[test]
fn rules_with_mistakes_are_refused() {
    for (text, expected) in [
        (r#"{"max-file-byte": 1}"#, "unknown field `max-file-byte`"),
        (r#"{"max_file_bytes": 1}"#, "unknown field `max_file_bytes`"),
        (r#"{"max-file-bytes": 0}"#, "expected a nonzero u64"),
        (r#"{"picture-sides": [2048, -1]}"#, "expected a nonzero u32"),
        (r#"{"names": ["Team/decals.png"]}"#, "`Team/decals.png` is not the name of a livery"),
        (r#"{"names": "Team"}"#, "expected a sequence"),
    ] {
        let error = serde_json::from_str::<LintRules>(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(rules(serde_json::json!({})), LintRules::default());
}

#[test]
fn a_finding_names_the_problem_and_the_fix() {
    let files = [picture("T\u{1b}/decals.png", 1000, 1000), file("New folder/decals.png")];
    let findings = lint(&files, &LintRules::default());
    let lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
    assert_eq!(
        lines,
        [
            "New folder: the name that Windows gives a new folder. To fix it, give it the name that the car file has as \
             customSkinName.",
            "T\\u{1b}/decals.png: 1000 x 1000 pixels, not 2048 x 2048 or 4096 x 4096. To fix it, export it again at 4096 x 4096.",
        ]
    );
    assert_eq!(
        serde_json::to_value(&findings[1]).unwrap(),
        serde_json::json!({
            "kind": "picture-size",
            "livery": "T\u{1b}",
            "path": "T\u{1b}/decals.png",
            "reason": "1000 x 1000 pixels, not 2048 x 2048 or 4096 x 4096",
            "fix": "export it again at 4096 x 4096",
        })
    );
}

proptest! {
    #[test]
    fn the_order_of_the_files_does_not_matter(shuffled in Just(vec![
        "b/x.txt", "B/y.txt", "b #1/x.txt", "b", "a/Cars/x.json", "a.png", "New folder/decals.png",
        "a - Copy/Cars/x.json",
    ]).prop_shuffle()) {
        let files: Vec<_> = shuffled.iter().map(|path| with(path, "same")).collect();
        let expected = [
            "cars-folder a",
            "cars-folder a - Copy",
            "copy a - Copy",
            "loose-picture a.png",
            "two-spellings b",
            "no-picture b",
            "no-picture b #1",
            "new-folder New folder",
        ];
        prop_assert_eq!(found(&files, &LintRules::default()), expected);
    }

    #[test]
    fn any_paths_are_judged(paths in prop::collection::vec("[a. /\\-é_C]{0,12}", 0..20)) {
        let files: Vec<_> = paths.iter().map(|path| with(path, "same")).collect();
        let findings = lint(&files, &LintRules::default());
        prop_assert!(findings.iter().all(|finding| !finding.to_string().is_empty()));
    }
}
