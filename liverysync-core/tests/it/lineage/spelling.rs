//! The spelling of folders: one for each livery, which only its owners change.

use super::*;

pub(super) fn any_spelling() -> impl Strategy<Value = Deed> {
    let spelling = (0..MEMBERS, 0..LIVERIES.len() - 1, any::<bool>());
    spelling.prop_map(|(member, livery, is_upper)| Deed::Spell(member, livery, is_upper))
}

impl League {
    /// Returns changes as their members spell them.
    pub(super) fn as_spelled(&self, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            let member = change.peer.0;
            let gained = change.gained.iter_mut().map(|gained| &mut gained.entry);
            for entry in change.lost.iter_mut().chain(gained) {
                let name = entry.path.as_str();
                if self.upper.contains(&(member, livery(name).to_owned())) {
                    entry.path = path(&in_upper(name));
                }
            }
        }
        changes
    }

    /// Has a member rename a folder to its upper or lower case.
    pub(super) fn spell(&mut self, member: u64, of: usize, is_upper: bool) {
        let of = LIVERIES[of].to_owned();
        let folder = (member, of.clone());
        let changes = is_upper != self.upper.contains(&folder);
        match is_upper {
            true => self.upper.insert(folder),
            false => self.upper.remove(&folder),
        };
        if !changes || !self.here.contains(&member) {
            return;
        }
        let mut change = self.change(member);
        let disk = self.disks.entry(member).or_default();
        for (name, file) in disk.iter().filter(|(name, _)| livery(name) == of) {
            change.lost.push(entry(name, file.0));
            change.gained.push(Gained { renamed: true, ..gained(name, *file) });
        }
        self.step(vec![change]);
    }

    /// Checks who may change a spelling.
    pub(super) fn check_spelling(&self, before: &BTreeMap<String, Spelled>, changes: &[Change]) {
        let after = spellings(&self.union);
        for (of, spelled) in &after {
            let renames = |change: &&Change| {
                let renamed = change.gained.iter().filter(|gained| gained.renamed);
                renamed.clone().any(|gained| {
                    let key = gained.entry.path.key();
                    let there = self.union.get(key).filter(|_| key.livery() == of);
                    there.is_some_and(|there| there.content == gained.entry.content)
                })
            };
            let renamed = changes.iter().find(renames);
            let theirs = renamed
                .filter(|change| self.model.owns(of, change.peer.0) && !self.model.is_frozen(of));
            if let Some(change) = theirs {
                let is_upper = self.upper.contains(&(change.peer.0, of.clone()));
                assert_eq!(spelled.is_upper, is_upper, "an owner spells {of}");
            // A conflict folder may expire and come back in one step, as another member spells it. So may a livery of which
            // only conflict copies are left.
            } else if !of.contains("__conflict__")
                && let Some(before) = before.get(of)
                && before
                    .files
                    .iter()
                    .any(|file| spelled.files.contains(file) && !file.0.contains("__conflict__"))
            {
                assert_eq!(spelled.is_upper, before.is_upper, "the spelling of {of} stays");
            }
        }
    }
}

/// The spelling of a livery's folder, and the files that have it.
#[derive(Default)]
pub(super) struct Spelled {
    is_upper: bool,
    files: BTreeSet<(String, Content)>,
}

/// Returns the spelling of each livery. All its files have the same.
pub(super) fn spellings(union: &Union) -> BTreeMap<String, Spelled> {
    let mut spellings: BTreeMap<String, Spelled> = BTreeMap::new();
    for entry in union.iter().filter(|entry| entry.path.folder().is_some()) {
        let is_upper = canon(&entry.path) != entry.path.as_str();
        let of = spellings.entry(entry.path.key().livery().to_owned()).or_default();
        assert!(of.files.is_empty() || of.is_upper == is_upper, "{} has two folders", entry.path);
        of.is_upper = is_upper;
        of.files.insert((entry.path.key().as_str().to_owned(), entry.content));
    }
    spellings
}

/// Returns a name with its first letter in upper case.
fn in_upper(name: &str) -> String {
    format!("{}{}", name[..1].to_ascii_uppercase(), &name[1..])
}

/// Returns records as an earlier version wrote them: each file with its publisher's spelling of the folder.
fn spelled_apart(records: &[Record], upper: &[bool]) -> Vec<Record> {
    let mut upper = upper.iter().cycle();
    let mut apart = records.to_vec();
    for record in &mut apart {
        if let Record::Placed { entry, cause, .. } = record
            && entry.path.folder().is_some()
            && *cause != Cause::Renamed
            && upper.next() == Some(&true)
        {
            entry.path = path(&in_upper(&canon(&entry.path)));
        }
    }
    apart
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_replay_gives_each_folder_one_spelling(
        scope in any_scope(),
        deeds in prop::collection::vec(any_deed(), 1..25),
        upper in prop::collection::vec(any::<bool>(), 1..8),
    ) {
        let mut league = League::with_scope(Policy::Established, Updates::Anyone, scope);
        deeds.into_iter().for_each(|deed| league.do_deed(deed));
        let names = |union: &Union| -> Vec<_> {
            union.iter().map(|entry| (canon(&entry.path), entry.content)).collect()
        };
        let (kept, apart) = (league.replayed(), spelled_apart(&league.records, &upper));
        let unified = Union::replay(league.first_settings.clone(), &apart);
        // It checks that no livery has two folders.
        spellings(&unified);
        prop_assert_eq!(names(&unified), names(&kept));
        let hashes = |union: &Union, of: &str| -> Vec<_> {
            union.history(of).into_iter().map(|version| version.hash).collect()
        };
        for of in LIVERIES {
            prop_assert_eq!(hashes(&unified, of), hashes(&kept, of), "the versions of {}", of);
        }
    }
}

#[test]
fn records_with_several_spellings_are_unified() {
    let files = [
        (1, "Team/decals.png", 0),
        (2, "team/sponsors.png", 1),
        (3, "TEAM/Sub/x.png", 2),
        (4, "team/sub/y.png", 3),
        // An update by somebody who spells it in another way.
        (5, "TEAM/decals.png", 4),
        (6, "gone/a.png", 0),
        (8, "Gone/b.png", 1),
    ];
    let placed = |(step, name, byte)| Record::Placed {
        step,
        entry: entry(name, content(byte)),
        author: author(0),
        cause: Cause::Published,
    };
    let mut records: Vec<_> = files.into_iter().map(placed).collect();
    records.insert(6, Record::Retired { step: 7, path: path("GONE/a.png") });
    let union = Union::replay(Settings::default(), &records);
    let names: Vec<_> = union.iter().map(|entry| entry.path.as_str()).collect();
    // Nobody has a file of the retired livery, so its first new file decides.
    let expected =
        ["Gone/b.png", "Team/decals.png", "Team/sponsors.png", "Team/Sub/x.png", "Team/Sub/y.png"];
    assert_eq!(names, expected);
    let paths = union.history("team").into_iter().flat_map(|version| version.changes);
    let paths: BTreeSet<_> = paths.map(|change| change.path.as_str().to_owned()).collect();
    assert_eq!(paths.len(), 4, "the history has the same names: {paths:?}");
    // A member who has the files in a spelling of that time is in sync.
    let mut union = union;
    let (peer, byte) = (PeerId(0), 1);
    let gained = vec![gained("TEAM/sponsors.png", (content(byte), None))];
    let change =
        Change { peer, arrival: 1, member: author(0), complete: false, lost: vec![], gained };
    assert_eq!(union.step(vec![change]).records, []);
    let file = union.get(path("team/sponsors.png").key()).unwrap();
    assert_eq!(file.local(peer).map(RelPath::as_str), Some("TEAM/sponsors.png"));
}

#[test]
fn a_version_keeps_its_hash_when_its_folder_is_renamed() {
    let begun = || play([edits(0, &[(1, 0), (3, 1)]), Deed::VerifyAll]);
    let of = |league: &League| league.union.history("t").pop().unwrap().hash;
    let renamed = play_in(begun(), [Deed::Spell(0, 0, true)]);
    let names: Vec<_> = renamed.union.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(names, ["T/a.png", "T/b.json"]);
    assert_eq!(of(&renamed), of(&begun()));
}

#[test]
fn a_livery_that_nobody_has_sent_yet_stays_when_its_case_changes() {
    let league = play([
        Deed::Spell(2, 0, true),
        edit(2, 1, 0, Base::InSync),
        Deed::Restart,
        Deed::Rename(0, 0),
    ]);
    assert_eq!(league.union.len(), 1);
}
