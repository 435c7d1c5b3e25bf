//! A dry run: the union that the server tells is compared with this PC, and nothing is changed.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
};

use super::{
    ClientConfig, ConflictSide, DiskFault, DiskRequest, Event, OpenConflict, Outstanding, Plan,
    PlannedHold, Role,
    context::{Context, Purpose},
    downloads::{Refusal, conflict_copy_name, judge},
    first_contact::decide_dry,
    folder::{Folder, IndexedFile},
    obstacles::Obstacles,
    outstanding::hold_reason,
    unmatched::UnmatchedGlobs,
};
use crate::{
    conflict::{Naming, Scope, conflict_livery},
    hash::ContentHash,
    inspect::Damage,
    league::MemberId,
    manifest::{Entry, Manifest},
    path::{PathKey, RelPath, first_component, fold},
    pathmap::{Collision, PathMap},
    select::Reason,
    text::{escape, limit_name},
    wire::messages::{DamagedFile, Fault, FileInfo, HeldRemark, ManifestFull, OwnedFile, Remarks},
};

/// The state of a dry run.
#[derive(Debug, Default)]
pub(super) struct DryRun {
    /// The union, until the folder has been scanned.
    union: Option<ManifestFull>,
    /// The plan, until the host has checked which files could be installed, and how the league spells them.
    plan: Option<(Plan, Wanted)>,
}

/// The files of the union that this PC would take: by key, the league's spelling and the content.
type Wanted = HashMap<PathKey, (String, ContentHash)>;

impl DryRun {
    pub(super) fn handle_union(&mut self, union: ManifestFull) {
        self.union = Some(union);
    }

    /// Makes the plan once it is known what this PC and the league have, and has the host check the files that would come.
    pub(super) fn handle_timeout(
        &mut self,
        cx: &mut Context,
        folder: &mut Folder,
        unmatched: &mut UnmatchedGlobs,
    ) {
        // A file that is still being copied would not be in the plan.
        if !folder.is_settled() {
            return;
        }
        let Some(union) = self.union.take() else { return };
        let waiting = decide_dry(cx, folder, &union);
        let liveries = union.manifest.iter().map(|file| first_component(&file.rel_path));
        unmatched.tell(cx, folder, liveries);
        let comparison = Comparison { config: &cx.config, naming: &cx.naming, folder };
        let mut plan = comparison.plan(union);
        plan.0.outstanding.extend(waiting);
        let coming = plan.0.receive.iter().chain(&plan.0.unavailable).cloned().collect();
        self.plan = Some(plan);
        cx.request(DiskRequest::Check(coming), Purpose::DryRun);
    }

    /// Takes the outcome of that, in the order of the plan.
    pub(super) fn handle_checked(
        &mut self,
        cx: &mut Context,
        obstacles: &Obstacles,
        outcomes: Vec<Result<(), DiskFault>>,
    ) {
        let Some((mut plan, wanted)) = self.plan.take() else { return };
        let mut outcomes = outcomes.into_iter();
        let (mut outstanding, mut failed) = (mem::take(&mut plan.outstanding), Vec::new());
        let mut comes = |path: &RelPath, is_offered: bool| {
            let found = outcomes.next().and_then(Result::err).filter(|it| it.kind.is_lasting());
            let Some((spelled, hash)) = wanted.get(path.key()) else { return true };
            // The client that runs cannot know it of a file that nobody could offer.
            if !is_offered && !obstacles.has_met(path.key(), *hash) {
                return true;
            }
            let known = obstacles.known(path.key(), *hash);
            let (reason, lasts) = match (found, known) {
                (Some(fault), _) => (fault.message, true),
                (None, Some(known)) => (known.reason().to_owned(), known.lasts()),
                (None, None) => return true,
            };
            if lasts {
                outstanding.push(Outstanding::NotInstallable { path: spelled.clone(), reason });
            } else {
                failed.push((spelled.clone(), reason));
            }
            !lasts
        };
        plan.receive.retain(|(path, _)| comes(path, true));
        plan.unavailable.retain(|(path, _)| comes(path, false));
        outstanding.sort();
        (plan.outstanding, plan.failed) = (outstanding, failed);
        cx.event(Event::Plan(Box::new(plan)));
    }
}

/// A PC that is compared with a union.
struct Comparison<'a> {
    config: &'a ClientConfig,
    naming: &'a Naming,
    folder: &'a Folder,
}

impl Comparison<'_> {
    fn plan(&self, union: ManifestFull) -> (Plan, Wanted) {
        let remarks = union.remarks.unwrap_or_default();
        let own = self.folder.manifest();
        let mut plan = Plan {
            liveries: own.livery_count(),
            files: own.len(),
            bytes: own.total_bytes(),
            unshared: self.folder.unshared().map(sized_file).collect(),
            only: self.config.only,
            open_conflicts: self.open_conflicts(&remarks, &union.manifest),
            ..Plan::default()
        };
        let league = self.names(&union.manifest);
        let (wanted, spelled) = self.judge_all(union.manifest, &mut plan);
        let difference = own.diff(&wanted);
        // A file that this PC does not share may be what the league has.
        let is_here = |wanted: &&Entry| {
            let here = self.folder.get(wanted.path.key());
            here.is_some_and(|here| here.content == wanted.content)
        };
        let missing = difference.missing.iter().filter(|wanted| !is_here(wanted));
        plan.receive.extend(missing.map(sized));
        let retired = retired_contents(&remarks);
        for own in &difference.extra {
            // The server names retired contents by their first digits. A file with another content is an edit, and travels.
            let contents = retired.get(own.path.key().as_str());
            let is_retired =
                contents.is_some_and(|contents| contents.contains(&own.content.hash.short()));
            if let (false, Some(collision)) = (is_retired, collision(&league, &own.path)) {
                let (path, reason) = (own.path.as_str().to_owned(), collision.to_string());
                plan.outstanding.push(Outstanding::Refused { path, reason });
                continue;
            }
            let list = if is_retired { &mut plan.retire } else { &mut plan.send };
            list.push(sized(own));
        }
        for (own, wanted) in &difference.different {
            self.plan_difference(own, wanted, &mut plan);
        }
        if self.naming.scope == Scope::Livery {
            // A file that goes to the backup folder is in nobody's way.
            let mut kept = own.clone();
            for (path, _) in &plan.retire {
                kept.remove(path.key());
            }
            plan.conflicts = self.with_whole_liveries(plan.conflicts, &kept, &wanted);
        }
        self.take_out_unavailable(&remarks, &wanted, &mut plan);
        take_out_undistributed(&remarks, &mut plan);
        if self.config.only == Some(Role::Source) {
            take_out_downloads(&mut plan);
        }
        self.take_out_held(&remarks, &mut plan);
        plan.damaged = damaged(&remarks);
        (plan, spelled)
    }

    /// Returns the names of the union, also of files that this PC would not take.
    fn names(&self, union: &[FileInfo]) -> PathMap<RelPath> {
        let mut names = PathMap::default();
        let extensions = &self.config.rules.extensions;
        for path in union.iter().filter_map(|info| RelPath::parse(&info.rel_path, extensions).ok())
        {
            // In a union, no two names collide.
            let _is_honest = names.insert(path);
        }
        names
    }

    /// Returns the files of the union that this PC would take, and puts the others on the plan's list.
    fn judge_all(&self, union: Vec<FileInfo>, plan: &mut Plan) -> (Manifest, Wanted) {
        let (mut wanted, mut spelled) = (Manifest::new(), Wanted::new());
        for info in union {
            if self.config.ignored.covers(&info.rel_path) {
                plan.refuse.push((info.rel_path, Reason::Ignored.to_string()));
                continue;
            }
            match judge(self.config, self.folder, &info) {
                Ok(entry) => {
                    spelled.insert(entry.path.key().clone(), (info.rel_path, entry.content.hash));
                    let _same_as_before = wanted.insert(entry);
                }
                Err(Refusal { fault: Fault::Declined, reason }) => {
                    plan.refuse.push((info.rel_path, reason));
                }
                Err(Refusal { reason, .. }) => {
                    let path = info.rel_path;
                    plan.outstanding.push(Outstanding::NotInstallable { path, reason });
                }
            }
        }
        (wanted, spelled)
    }

    /// Plans a path at which this PC and the union have different contents.
    fn plan_difference(&self, own: &Entry, wanted: &Entry, plan: &mut Plan) {
        let synced = self.folder.synced().get(own.path.key());
        if synced == Some(wanted.content.hash) {
            // This driver has updated it.
            plan.send.push(sized(own));
            return;
        }
        plan.receive.push(sized(wanted));
        if synced == Some(own.content.hash) {
            // The league has updated it. What is replaced is an older version, so no conflict copy is needed.
            return;
        }
        plan.send.push(sized(own));
        let (replaced, brought) = (BTreeSet::new(), []);
        let name = conflict_copy_name(self.naming, self.folder, &own.path, &replaced, &brought);
        plan.conflicts.extend(name.map(|name| (own.path.clone(), name)));
    }

    /// Moves files that nobody can send at present to a list of their own. A content that this PC has is copied, whoever
    /// is there.
    fn take_out_unavailable(&self, remarks: &Remarks, wanted: &Manifest, plan: &mut Plan) {
        let here: BTreeSet<_> = self.folder.manifest().iter().map(|own| own.content).collect();
        let unavailable: BTreeSet<_> = remarks.unavailable.iter().map(|path| fold(path)).collect();
        let is_available = |(path, _): &(RelPath, u64)| {
            let content = wanted.get(path.key()).map(|file| file.content);
            content.is_some_and(|content| here.contains(&content))
                || !unavailable.contains(path.key().as_str())
        };
        (plan.receive, plan.unavailable) =
            mem::take(&mut plan.receive).into_iter().partition(is_available);
    }

    /// Lists what is held, and what is held of this driver as outstanding: others do not get it.
    fn take_out_held(&self, remarks: &Remarks, plan: &mut Plan) {
        let me = self.config.keys.member.as_ref().map(|key| MemberId::of(key).to_string());
        let mut own = BTreeSet::new();
        for HeldRemark { notice, member, name, since } in &remarks.held {
            let yours = member.is_some() && *member == me;
            if yours {
                own.insert(fold(&notice.livery));
                plan.outstanding.push(Outstanding::from(notice));
            }
            plan.held.push(PlannedHold {
                livery: notice.livery.clone(),
                name: name.as_deref().map(|name| limit_name(name).to_owned()),
                yours,
                since: since.clone(),
                reason: hold_reason(notice),
            });
        }
        plan.send.retain(|(path, _)| !own.contains(path.key().livery()));
    }

    /// Returns the conflicts in a league where all of a livery gets a conflict name. The names are those that the server
    /// would choose, unless the folder had other contents before.
    fn with_whole_liveries(
        &self,
        conflicts: Vec<(RelPath, RelPath)>,
        own: &Manifest,
        wanted: &Manifest,
    ) -> Vec<(RelPath, RelPath)> {
        // A loose file is a livery by itself, and keeps the name that it would get alone.
        let is_loose = |(own, _): &(RelPath, RelPath)| own.folder().is_none();
        let (mut whole, in_folders): (Vec<_>, Vec<_>) = conflicts.into_iter().partition(is_loose);
        let mut liveries = self.unrelated_liveries(own, wanted);
        liveries.extend(in_folders.iter().map(|(own, _)| own.key().livery()));
        let is_taken = |name: &RelPath, content| match wanted.get(name.key()) {
            Some(there) => there.content != content,
            None => wanted.check(name).is_err(),
        };
        for livery in liveries {
            let is_part = |file: &&Entry| file.path.key().livery() == livery;
            let files: Vec<_> =
                own.iter().filter(is_part).map(|file| (&file.path, file.content)).collect();
            let Some((first, _)) = files.first() else { continue };
            let spelled =
                wanted.iter().find(is_part).map_or(first.livery(), |file| file.path.livery());
            // Where a name would be too long, the server refuses the livery.
            let names = conflict_livery(spelled, &files, self.naming, is_taken);
            let own = files.iter().map(|(path, _)| RelPath::clone(path));
            whole.extend(own.zip(names.unwrap_or_default()));
        }
        whole
    }

    /// Returns the liveries of this PC that share nothing but the name with one of the league's, now or before.
    fn unrelated_liveries<'m>(&self, own: &'m Manifest, wanted: &Manifest) -> BTreeSet<&'m str> {
        let own = || own.iter().filter(|own| own.path.folder().is_some());
        let in_league: BTreeSet<_> = wanted.iter().map(|file| file.path.key().livery()).collect();
        let is_shared = |own: &&Entry| {
            let key = own.path.key();
            let is_same = |wanted: &Entry| wanted.content == own.content;
            wanted.get(key).is_some_and(is_same) || self.folder.synced().get(key).is_some()
        };
        let shared: BTreeSet<_> =
            own().filter(is_shared).map(|own| own.path.key().livery()).collect();
        let liveries = own().map(|own| own.path.key().livery());
        liveries.filter(|livery| in_league.contains(livery) && !shared.contains(livery)).collect()
    }

    /// Returns the names that this PC's driver and others claim.
    fn open_conflicts(&self, remarks: &Remarks, union: &[FileInfo]) -> Vec<OpenConflict> {
        // Without a key, the server cannot tell which files are this driver's.
        let Some(key) = &self.config.keys.member else { return Vec::new() };
        let me = MemberId::of(key).to_string();
        let is_own = |file: &OwnedFile| file.member.as_ref() == Some(&me);
        let parse = |path: &str| RelPath::parse(path, &self.config.rules.extensions).ok();
        let hashes: HashMap<_, _> =
            union.iter().map(|file| (&*file.rel_path, &*file.sha256)).collect();
        let open_conflict = |established: &OwnedFile, copy: &OwnedFile| {
            let yours = match (is_own(established), is_own(copy)) {
                (true, true) => ConflictSide::Both,
                (true, false) => ConflictSide::Established,
                (false, true) => ConflictSide::Copy,
                (false, false) => return None,
            };
            let hash = |file: &OwnedFile| hashes.get(&*file.rel_path).copied();
            let there = hash(established);
            let chosen = if yours == ConflictSide::Established { there } else { None };
            let sha256 = chosen.or_else(|| hash(copy))?.parse().ok()?;
            let other = match yours {
                ConflictSide::Established => copy.name.as_deref(),
                ConflictSide::Copy => established.name.as_deref(),
                ConflictSide::Both => None,
            };
            let other = other.map(|name| limit_name(name).to_owned());
            let (path, copy) = (parse(&established.rel_path)?, parse(&copy.rel_path)?);
            Some(OpenConflict { path, copy, yours, sha256, free: there.is_none(), other })
        };
        let pairs = remarks.conflicts.iter().flat_map(|conflict| {
            conflict.copies.iter().map(move |copy| (&conflict.established, copy))
        });
        pairs.filter_map(|(established, copy)| open_conflict(established, copy)).collect()
    }
}

/// Moves files of liveries that are not on the league's list to a list of their own.
fn take_out_undistributed(remarks: &Remarks, plan: &mut Plan) {
    if let Some(allowed) = &remarks.allowed {
        let allowed: BTreeSet<_> = allowed.iter().map(|livery| fold(livery)).collect();
        let is_distributed = |(path, _): &(RelPath, u64)| allowed.contains(path.key().livery());
        (plan.send, plan.undistributed) =
            mem::take(&mut plan.send).into_iter().partition(is_distributed);
    }
}

/// Returns the reason why the league cannot take a file: it collides with another name. A file under the very name does not.
fn collision(league: &PathMap<RelPath>, own: &RelPath) -> Option<Collision> {
    league.check(own).err().filter(|collision| !matches!(collision, Collision::Spelling(_)))
}

/// Returns the damaged files of the league. Words of later servers are shown as they are.
fn damaged(remarks: &Remarks) -> Vec<(String, String)> {
    let damaged = remarks.damaged.iter().map(|DamagedFile { rel_path, damage }| {
        let known = Damage::from_word(damage).map(|damage| damage.to_string());
        (rel_path.clone(), known.unwrap_or_else(|| escape(damage).into_owned()))
    });
    damaged.collect()
}

/// Takes out what a PC that downloads nothing leaves alone.
fn take_out_downloads(plan: &mut Plan) {
    plan.receive.clear();
    plan.unavailable.clear();
    plan.conflicts.clear();
    plan.refuse.clear();
    plan.outstanding.retain(|item| !matches!(item, Outstanding::NotInstallable { .. }));
}

fn sized_file(file: &IndexedFile) -> (RelPath, u64) {
    (file.path.clone(), file.content.size)
}

fn sized(entry: &Entry) -> (RelPath, u64) {
    (entry.path.clone(), entry.content.size)
}

/// Returns the retired paths, each with the first digits of the contents that it has had.
fn retired_contents(remarks: &Remarks) -> HashMap<String, BTreeSet<&String>> {
    let retired = remarks.retired.iter();
    retired.map(|file| (fold(&file.rel_path), file.contents.iter().collect())).collect()
}
