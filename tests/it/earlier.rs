//! Folders that an earlier version wrote: this one uses them as if it had written them itself.

use liverysync::{
    ContentHash, Updates,
    league::{Act, Cause, League as Data, Setting},
};

use super::*;

/// The liveries folder that the state was written for.
const WRITTEN_FOR: &str = "/tmp/liverysync-fixture/Aoi";

/// Aoi's files, with their modification times in seconds and the change tags that they had.
#[rustfmt::skip]
const FILES: [(&str, u64, u64); 4] = [
    ("Iris/decals.json", 1_700_000_000, 0x812c_dc74_92b5_b55e),
    ("Iris/decals.png", 1_700_000_060, 0x812c_dd75_a244_bfaf),
    ("Safety/decals.png", 1_700_000_000, 0x812c_de74_93a9_d95d),
    ("Safety/decals__CONFLICT__73c9c986.png", 1_700_000_120, 0x812c_8375_9fe2_65b0),
];

const AOI: &str = "c29fb21125cccea3";
const BRUNO: &str = "62b0af509ea509e1";

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/earlier")
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A copy of the fixture: `Aoi`, `state` and `data`.
fn earlier() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let liveries = root.path().join("Aoi");
    copy_all(&fixture().join("liveries"), &liveries);
    copy_all(&fixture().join("data"), &root.path().join("data"));
    for (path, seconds, _) in FILES {
        let file = fs::File::options().write(true).open(liveries.join(path)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }
    fs::create_dir_all(root.path().join("state/clients")).unwrap();
    for extension in ["files", "ignore", "key"] {
        let file = |folder: &Path| {
            let name = ContentHash::of(folder.as_os_str().as_encoded_bytes()).short();
            format!("clients/{name}.{extension}")
        };
        let written = fs::read(fixture().join("state").join(file(Path::new(WRITTEN_FOR)))).unwrap();
        let written = if extension == "files" { retagged(written, &liveries) } else { written };
        fs::write(root.path().join("state").join(file(&liveries)), written).unwrap();
    }
    root
}

/// Gives a scan cache the change tags of the copies, and the digest that goes with them.
fn retagged(cache: Vec<u8>, liveries: &Path) -> Vec<u8> {
    const FORM: &[u8] = b"liverysync files 3\n";
    let mut body = cache[FORM.len() + 32..].to_vec();
    for (path, _, tag) in FILES {
        let tag = tag.to_le_bytes();
        let at = body.windows(tag.len()).position(|bytes| bytes == tag).expect("the tag is there");
        body[at..at + tag.len()].copy_from_slice(&change_tag(&liveries.join(path)).to_le_bytes());
    }
    [FORM, ContentHash::of(&body).as_bytes(), &body].concat()
}

#[cfg(target_os = "linux")]
fn change_tag(path: &Path) -> u64 {
    use std::os::linux::fs::MetadataExt as _;
    let found = fs::metadata(path).unwrap();
    let changed = found.st_ctime().wrapping_mul(1_000_000_000).wrapping_add(found.st_ctime_nsec());
    found.st_ino().rotate_left(40) ^ changed.cast_unsigned()
}

/// Only Linux has change tags.
#[cfg(not(target_os = "linux"))]
fn change_tag(_path: &Path) -> u64 {
    0
}

fn aoi(root: &TempDir, port: u16) -> ClientBuilder {
    let builder = Client::builder("127.0.0.1").port(port).name("Aoi");
    let builder = builder.identity(root.path().join("config/identity.json"));
    builder.liveries(root.path().join("Aoi")).state(root.path().join("state"))
}

fn data(root: &TempDir) -> Data {
    Data::open(&root.path().join("data")).unwrap()
}

fn members(data: &mut Data) -> Vec<(String, String)> {
    let members = data.members().unwrap().into_iter();
    members.map(|member| (member.member.to_string(), member.name)).collect()
}

#[tokio::test]
async fn the_member_key_and_the_ignored_liveries_are_kept() {
    let root = earlier();
    let server = server(0).data(root.path().join("data")).start().await.unwrap();
    let aoi = aoi(&root, server.address().port()).start().await.unwrap();
    let report = aoi.sync().timeout(PATIENCE).await.unwrap();
    assert_eq!((report.files, report.received_files, report.conflicts.len()), (4, 0, 1));
    assert_eq!(report.withheld, 1, "{report:?}");
    assert!(!root.path().join("Aoi/Spare").exists());
    aoi.stop().await;
    server.stop().await;
    let known = [(BRUNO.to_owned(), "Bruno".to_owned()), (AOI.to_owned(), "Aoi".to_owned())];
    assert_eq!(members(&mut data(&root)), known);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_file_in_the_scan_cache_is_read_again() {
    let root = earlier();
    let server = server(0).data(root.path().join("data")).start().await.unwrap();
    let (watcher, opened) = count_opened(&root.path().join("Aoi"));
    let aoi = aoi(&root, server.address().port()).start().await.unwrap();
    aoi.sync().timeout(PATIENCE).await.unwrap();
    aoi.stop().await;
    // The last event of the watcher is that of this test.
    let last = opened.load(Ordering::Relaxed);
    fs::File::open(root.path().join("Aoi/Iris/decals.png")).unwrap();
    while opened.load(Ordering::Relaxed) == last {
        tokio::task::yield_now().await;
    }
    drop(watcher);
    assert_eq!(opened.load(Ordering::Relaxed) - 1, 0);
}

#[tokio::test]
async fn an_edit_of_a_synced_version_is_an_update() {
    let root = earlier();
    // This server knows nothing of Aoi, so only the state tells that the edit was made of what Bruno has.
    let server = server(0).start().await.unwrap();
    let port = server.address().port();
    let bruno = root.path().join("Bruno");
    write(&bruno.join("Iris/decals.png"), "iris, second paint");
    let bruno = Client::builder("127.0.0.1").port(port).liveries(&bruno).start().await.unwrap();
    bruno.sync().timeout(PATIENCE).await.unwrap();
    write(&root.path().join("Aoi/Iris/decals.png"), "iris, third paint");
    let aoi = aoi(&root, port).start().await.unwrap();
    aoi.sync().timeout(PATIENCE).await.unwrap();
    bruno.sync().timeout(PATIENCE).await.unwrap();
    let read = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
    assert_eq!(read("Aoi/Iris/decals.png"), "iris, third paint");
    assert_eq!(read("Bruno/Iris/decals.png"), "iris, third paint");
}

#[tokio::test]
async fn the_union_its_history_and_its_owners_are_kept() {
    let root = earlier();
    let mut data = data(&root);
    let liveries = data.liveries().unwrap().into_iter().map(|livery| {
        let owners: Vec<_> = livery.owners.iter().map(ToString::to_string).collect();
        (livery.livery, livery.files, livery.conflicts, owners.concat())
    });
    let expected =
        [("Iris", 2, 0, AOI), ("Old", 0, 0, AOI), ("Safety", 2, 1, AOI), ("Spare", 1, 0, BRUNO)];
    let expected = expected.map(|(livery, files, conflicts, owner)| {
        (livery.to_owned(), files, conflicts, owner.to_owned())
    });
    assert_eq!(liveries.collect::<Vec<_>>(), expected);
    let history = data.history("Iris").unwrap();
    let changes = history.iter().flat_map(|version| &version.changes);
    let changes: Vec<_> =
        changes.map(|one| (one.path.as_str(), one.cause, one.name.as_deref())).collect();
    let expected = [
        ("Iris/decals.png", Some(Cause::Updated), Some("Aoi")),
        ("Iris/decals.json", Some(Cause::Published), Some("Aoi")),
        ("Iris/decals.png", Some(Cause::Published), Some("Aoi")),
    ];
    assert_eq!(changes, expected);

    let restore = Act::Restore { livery: "Old".to_owned(), version: None };
    assert_eq!(data.act(&restore, Duration::ZERO).unwrap().report.placed, 1);
    let server = server(0).data(root.path().join("data")).start().await.unwrap();
    // Nobody else is there: everything comes from the store.
    let port = server.address().port();
    let chloe = root.path().join("Chloe");
    fs::create_dir(&chloe).unwrap();
    let chloe = Client::builder("127.0.0.1").port(port).liveries(&chloe).start().await.unwrap();
    let report = chloe.sync().timeout(PATIENCE).await.unwrap();
    assert_eq!((report.files, report.conflicts.len()), (6, 1));
    let old = fs::read_to_string(root.path().join("Chloe/Old/decals.png")).unwrap();
    assert_eq!(old, "soon retired");
}

#[tokio::test]
async fn the_first_server_writes_its_options_down_as_the_settings_of_the_league() {
    let root = earlier();
    for updates in [Updates::Owner, Updates::Anyone] {
        let server = server(0).data(root.path().join("data")).updates(updates);
        let server = server.start().await.unwrap();
        assert_eq!(data(&root).settings().unwrap().updates, Updates::Owner);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_league_of_before_keeps_its_rule_for_updates_and_a_new_one_protects_owners() {
    let root = earlier();
    let updates = |data: &mut Data| data.settings().unwrap().updates;
    server(0).data(root.path().join("data")).start().await.unwrap().stop().await;
    assert_eq!(updates(&mut data(&root)), Updates::Anyone);
    let change = Act::Set { setting: Setting::Updates, value: "owner".to_owned() };
    data(&root).act(&change, Duration::ZERO).unwrap();
    server(0).data(root.path().join("data")).start().await.unwrap().stop().await;
    assert_eq!(updates(&mut data(&root)), Updates::Owner);

    let new = root.path().join("new");
    server(0).data(&new).start().await.unwrap().stop().await;
    assert_eq!(updates(&mut Data::open(&new).unwrap()), Updates::Owner);
    let asked = root.path().join("asked");
    server(0).data(&asked).updates(Updates::Anyone).start().await.unwrap().stop().await;
    assert_eq!(updates(&mut Data::open(&asked).unwrap()), Updates::Anyone);
}
