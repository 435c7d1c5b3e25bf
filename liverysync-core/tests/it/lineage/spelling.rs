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
            // A conflict folder may expire and come back in one step, as another member spells it.
            } else if !of.contains("__conflict__")
                && let Some(before) = before.get(of)
                && before.files.iter().any(|file| spelled.files.contains(file))
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

#[test]
fn a_version_keeps_its_hash_when_its_folder_is_renamed() {
    let begun = || play([edits(0, &[(1, 0), (3, 1)]), Deed::VerifyAll]);
    let of = |league: &League| league.union.history("t").pop().unwrap().hash;
    let renamed = play_in(begun(), [Deed::Spell(0, 0, true)]);
    let names: Vec<_> = renamed.union.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(names, ["T/a.png", "T/b.json"]);
    assert_eq!(of(&renamed), of(&begun()));
}
