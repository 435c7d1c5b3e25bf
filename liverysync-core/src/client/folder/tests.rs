use std::iter;

use super::{unsettled::WHOLE_LIVERY_MAX, *};
use crate::{
    client::{ClientConfig, LiveryGlobs, Now, Output, link::Link},
    manifest::Entry,
    time::UnixTime,
};

const DAY: i64 = 86_400_000_000_000;
const OLD: UnixTime = UnixTime::from_nanos(DAY);

/// A folder, and the moment that it has come to.
struct Rig {
    folder: Folder,
    cx: Context,
}

impl Rig {
    fn new() -> Self {
        let now = Now { time: Time::ZERO, date: UnixTime::from_nanos(10 * DAY) };
        let share = Some(LiveryGlobs::all());
        let config = ClientConfig { share, ..ClientConfig::default() };
        let cx = Context::new(config, Link::new(now.time, 1), now);
        Self { folder: Folder::new(&cx.config, now.time), cx }
    }

    /// Returns the last disk request of a scan since this was called before.
    fn request(&mut self) -> Option<DiskRequest> {
        let outputs = std::iter::from_fn(|| self.cx.poll_output());
        let requests = outputs.filter_map(|output| match output {
            // Its time has nothing to do with a scan.
            Output::Disk(_, DiskRequest::SaveCache(_)) => None,
            Output::Disk(_, request) => Some(request),
            _ => None,
        });
        requests.last()
    }

    /// Scans when the folder wants to, and finds files of these sizes. Returns the files to read.
    fn scan(&mut self, files: &[(&str, u64)], mtime: UnixTime) -> Vec<String> {
        self.cx.now.time = self.folder.scan_at().unwrap();
        self.folder.handle_timeout(&mut self.cx);
        assert!(matches!(self.request(), Some(DiskRequest::List { .. })));
        let listed = files.iter().map(|(path, size)| {
            let kind = Kind::File(Stamp { size: *size, mtime });
            Listed { path: (*path).to_owned(), kind, change_tag: 0 }
        });
        let listed = DiskOutcome::Listed(Ok(listed.collect()));
        self.folder.handle_disk(&mut self.cx, listed);
        match self.request() {
            Some(DiskRequest::Hash(files)) => {
                files.into_iter().map(|(path, _)| path.as_str().to_owned()).collect()
            }
            None => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    fn hashed(&mut self, outcomes: Vec<Result<Content, DiskFault>>) {
        self.inspected(outcomes.into_iter().map(|read| read.map(|content| (content, None))));
    }

    fn inspected(
        &mut self,
        outcomes: impl IntoIterator<Item = Result<(Content, Option<Damage>), DiskFault>>,
    ) {
        let inspection = |damage| Inspection { damage, ..Inspection::default() };
        let outcomes = outcomes.into_iter();
        let outcomes =
            outcomes.map(|read| read.map(|(content, damage)| (content, inspection(damage))));
        self.folder.handle_disk(&mut self.cx, DiskOutcome::Hashed(outcomes.collect()));
    }
}

fn content() -> Content {
    Content { size: 1, ..Content::of(b"a") }
}

#[test]
fn a_file_is_read_only_once_it_has_settled() {
    let mut rig = Rig::new();
    rig.scan(&[], OLD);
    // A copy keeps the date of its original, so an old date says nothing.
    for size in [1, 2, 3] {
        assert!(rig.scan(&[("T/decals.png", size)], OLD).is_empty(), "read while it grew");
        assert!(!rig.folder.is_settled());
    }
    let before = rig.cx.now.time;
    assert_eq!(rig.scan(&[("T/decals.png", 3)], OLD), ["T/decals.png"]);
    assert!(rig.cx.now.time.since(before) >= rig.cx.config.settle);
}

#[test]
fn a_livery_is_read_once_all_of_it_has_settled() {
    let mut rig = Rig::new();
    rig.scan(&[], OLD);
    for size in 1..4 {
        let files = [("T/a.png", 1), ("T/b.png", size), ("U/a.png", 1)];
        // The other livery has been read by the third scan.
        let expected = if size == 2 { &["U/a.png"][..] } else { &[] };
        assert_eq!(rig.scan(&files, OLD), expected);
        if size == 2 {
            rig.hashed(vec![Ok(content())]);
        }
    }
    let files = [("T/a.png", 1), ("T/b.png", 3), ("U/a.png", 1)];
    assert_eq!(rig.scan(&files, OLD), ["T/a.png", "T/b.png"]);
}

#[test]
fn half_a_livery_is_not_published_because_the_rest_changed_while_it_was_read() {
    let mut rig = Rig::new();
    rig.scan(&[], OLD);
    let files = [("T/a.png", 1), ("T/b.png", 1)];
    assert!(rig.scan(&files, OLD).is_empty());
    assert_eq!(rig.scan(&files, OLD).len(), 2);
    let changed = DiskFault { kind: DiskFaultKind::Changed, message: "changed".to_owned() };
    rig.hashed(vec![Ok(content()), Err(changed)]);
    assert_eq!(rig.folder.manifest().len(), 0);
    assert_eq!(rig.scan(&files, OLD).len(), 2);
    rig.hashed(vec![Ok(content()), Ok(content())]);
    assert_eq!(rig.folder.manifest().len(), 2);
}

#[test]
fn a_file_that_never_settles_does_not_hold_up_its_livery_forever() {
    let mut rig = Rig::new();
    rig.scan(&[], OLD);
    let mut scan = |size| {
        let found = rig.scan(&[("T/a.png", 1), ("T/log.txt", size)], OLD);
        (found, rig.cx.now.time)
    };
    let (_, begun) = scan(1);
    let (found, after) = (2..).map(scan).find(|(found, _)| !found.is_empty()).unwrap();
    assert_eq!(found, ["T/a.png"]);
    let waited = after.since(begun);
    assert!((WHOLE_LIVERY_MAX..WHOLE_LIVERY_MAX * 2).contains(&waited), "{waited:?}");
}

#[test]
fn on_the_first_scan_the_modification_time_tells_whether_a_file_has_settled() {
    let files = [("T/decals.png", 1)];
    assert_eq!(Rig::new().scan(&files, OLD), ["T/decals.png"]);
    let mut rig = Rig::new();
    assert!(rig.scan(&files, rig.cx.now.date).is_empty());
}

fn half() -> Content {
    Content { size: 2, ..Content::of(b"half") }
}

/// Returns a rig that has published a whole file at each of these paths.
fn published(paths: &[&str]) -> Rig {
    let mut rig = Rig::new();
    let files: Vec<_> = paths.iter().map(|path| (*path, 1)).collect();
    assert_eq!(rig.scan(&files, OLD).len(), paths.len());
    rig.hashed(paths.iter().map(|_| Ok(content())).collect());
    rig
}

impl Rig {
    fn contents(&self) -> Vec<Content> {
        self.folder.files().iter().map(|file| file.content).collect()
    }
}

#[test]
fn a_damaged_file_does_not_replace_a_whole_one_and_is_read_once() {
    let mut rig = published(&["T/a.png"]);
    assert!(rig.scan(&[("T/a.png", 2)], OLD).is_empty());
    assert_eq!(rig.scan(&[("T/a.png", 2)], OLD), ["T/a.png"]);
    rig.inspected([Ok((half(), Some(Damage::NoEnd)))]);
    for _ in 0..3 {
        assert_eq!(rig.contents(), [content()]);
        let path = RelPath::parse("T/a.png", &Extensions::default()).unwrap();
        assert_eq!(rig.folder.held_back(path.key()), Some(Damage::NoEnd));
        assert!(rig.folder.is_settled(), "nobody waits for it");
        assert!(rig.scan(&[("T/a.png", 2)], OLD).is_empty(), "read again");
    }
    // The editor ends its save.
    assert!(rig.scan(&[("T/a.png", 3)], OLD).is_empty());
    assert_eq!(rig.scan(&[("T/a.png", 3)], OLD), ["T/a.png"]);
    let whole = Content { size: 3, ..Content::of(b"whole") };
    rig.hashed(vec![Ok(whole)]);
    assert_eq!(rig.contents(), [whole]);
}

#[test]
fn a_damaged_file_is_published_where_nothing_whole_is_there() {
    let mut rig = Rig::new();
    assert_eq!(rig.scan(&[("T/a.png", 2)], OLD), ["T/a.png"]);
    rig.inspected([Ok((half(), Some(Damage::NoSignature)))]);
    assert_eq!(rig.contents(), [half()]);
    // Its edit is as damaged, and replaces it.
    rig.scan(&[("T/a.png", 1)], OLD);
    assert_eq!(rig.scan(&[("T/a.png", 1)], OLD), ["T/a.png"]);
    rig.inspected([Ok((content(), Some(Damage::NoSignature)))]);
    assert_eq!(rig.contents(), [content()]);
}

#[test]
fn what_was_saved_with_a_damaged_file_waits_for_it_but_not_forever() {
    let mut rig = published(&["T/a.png", "T/b.png"]);
    let begun = rig.cx.now.time;
    let files = [("T/a.png", 2), ("T/b.png", 2)];
    assert!(rig.scan(&files, OLD).is_empty());
    assert_eq!(rig.scan(&files, OLD).len(), 2);
    rig.inspected([Ok((half(), Some(Damage::NoEnd))), Ok((half(), None))]);
    assert_eq!(rig.contents(), [content(), content()]);
    let read = std::iter::repeat_with(|| rig.scan(&files, OLD)).find(|read| !read.is_empty());
    assert_eq!(read.unwrap(), ["T/b.png"]);
    rig.hashed(vec![Ok(half())]);
    assert_eq!(rig.contents(), [content(), half()]);
    assert!(rig.cx.now.time.since(begun) >= WHOLE_LIVERY_MAX);
}

impl Rig {
    /// Scans until everything has been read, and returns the findings.
    fn findings(&mut self, files: &[(&str, u64)]) -> Vec<String> {
        let mut findings = Vec::new();
        for _ in 0..3 {
            let read = self.scan(files, OLD);
            if !read.is_empty() {
                self.hashed(read.iter().map(|_| Ok(content())).collect());
            }
            findings.extend(iter::from_fn(|| self.cx.poll_output()).filter_map(
                |output| match output {
                    Output::Event(Event::Finding(finding)) => Some(finding.livery),
                    _ => None,
                },
            ));
        }
        findings
    }
}

#[test]
fn a_finding_about_a_livery_of_this_pc_is_reported_once() {
    let mut rig = Rig::new();
    let mine = ("New folder/decals.png", 1);
    assert_eq!(rig.findings(&[mine]), ["New folder"]);
    assert_eq!(rig.findings(&[mine]), [""; 0]);
    assert_eq!(rig.findings(&[mine, ("New folder/decals.json", 1)]), [""; 0]);

    // The author of what comes from the league was told.
    let path = RelPath::parse("Neuer Ordner/decals.png", &Extensions::default()).unwrap();
    let stamp = Stamp { size: 1, mtime: OLD };
    let installed =
        Installed { stamp, backup: None, kept: false, inspection: Inspection::default() };
    rig.folder.handle_installed(&rig.cx, path, content(), &installed);
    let all = [
        mine,
        ("New folder/decals.json", 1),
        ("Neuer Ordner/decals.png", 1),
        ("Other/decals.png", 1),
    ];
    assert_eq!(rig.findings(&all), [""; 0]);
    let edited = [
        mine,
        ("New folder/decals.json", 1),
        ("Neuer Ordner/decals.png", 1),
        ("Neuer Ordner/sponsors.png", 1),
    ];
    assert_eq!(rig.findings(&edited), ["Neuer Ordner"]);

    // What is in sync was reported by an earlier run.
    let mut rig = Rig::new();
    let entry = Entry {
        path: RelPath::parse("New folder/decals.png", &Extensions::default()).unwrap(),
        content: content(),
        mtime: None,
    };
    let mut manifest = Manifest::new();
    manifest.insert(entry).unwrap();
    rig.folder.handle_synced(&rig.cx, &manifest, &[]);
    assert_eq!(rig.findings(&[mine]), [""; 0]);
}

/// Returns what the game cannot use: a picture of another size.
fn small_picture() -> (Content, Inspection) {
    (content(), Inspection { pixels: Some((512, 512)), ..Inspection::default() })
}

impl Rig {
    /// Scans files of one byte that are as they were, and returns the kinds of the findings.
    fn kinds(&mut self, files: &[&str], read: (Content, Inspection)) -> Vec<&'static str> {
        let files: Vec<_> = files.iter().map(|path| (*path, 1)).collect();
        for _ in 0..3 {
            let wanted = self.scan(&files, OLD).len();
            if wanted > 0 {
                let outcomes = DiskOutcome::Hashed(vec![Ok(read); wanted]);
                self.folder.handle_disk(&mut self.cx, outcomes);
                break;
            }
        }
        let outputs = iter::from_fn(|| self.cx.poll_output());
        let findings = outputs.filter_map(|output| match output {
            Output::Event(Event::Finding(finding)) => Some(finding.kind()),
            _ => None,
        });
        findings.collect()
    }
}

#[test]
fn a_client_finds_what_lint_finds() {
    // The size of a picture, and a file that is not shared.
    let files = ["T/decals.png", "T/._decals.png"];
    let mut rig = Rig::new();
    assert_eq!(rig.kinds(&files, small_picture()), ["macos", "picture-size"]);

    // The rules are those of the league.
    let mut rig = Rig::new();
    rig.cx.config.lint_rules.picture_sides = vec![512.try_into().unwrap()];
    assert_eq!(rig.kinds(&files, small_picture()), ["macos"]);
}

#[test]
fn a_client_is_told_of_a_second_folder_with_the_same_names() {
    let files = ["Team/decals.png", "Team/x.png", "team/decals.png", "team/x.png"];
    let whole = (content(), Inspection::default());
    assert_eq!(Rig::new().kinds(&files, whole), ["two-spellings"]);
}

#[test]
fn a_client_knows_the_sizes_of_pictures_from_run_to_run() {
    let mut rig = Rig::new();
    assert_eq!(rig.kinds(&["T/decals.png"], small_picture()), ["picture-size"]);
    rig.folder.save(&mut rig.cx);
    let saved = iter::from_fn(|| rig.cx.poll_output()).find_map(|output| match output {
        Output::Disk(_, DiskRequest::SaveCache(text)) => Some(text),
        _ => None,
    });
    let mut next = Rig::new();
    next.folder.handle_disk(&mut next.cx, DiskOutcome::CacheLoaded(saved.unwrap()));
    // Only the new file is read.
    let large = Inspection { pixels: Some((4096, 4096)), ..Inspection::default() };
    let files = ["T/decals.png", "U/decals.png"];
    assert_eq!(next.kinds(&files, (content(), large)), ["picture-size"]);
}
