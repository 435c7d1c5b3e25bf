//! What a dry run finds out: what would happen if it were none.

use super::*;
use crate::{
    client::{Claimant, Rivalry},
    conflict::{conflict_folder, livery_hash},
    league::MemberId,
    wire::messages::{OwnedFile, Remarks},
};

impl ClientMachine {
    /// Compares the union that the server told with this PC, once it is known what this PC holds.
    pub(super) fn check_plan(&mut self) {
        if self.folder.is_settled()
            && let Some(union) = self.told_union.take()
        {
            self.plan(union);
        }
    }

    fn plan(&mut self, union: ManifestFull) {
        let remarks = union.remarks.clone().unwrap_or_default();
        let own = self.folder.manifest();
        let (files, bytes) = (own.len(), own.total_bytes());
        let mut plan = Plan {
            liveries: own.livery_count(),
            files,
            bytes,
            rivals: self.rivalries(&remarks, &union.manifest),
            ..Plan::default()
        };
        let mut wanted = Manifest::new();
        for info in union.manifest {
            if self.cx.config.ignored.covers(&info.rel_path) {
                plan.refuse.push((info.rel_path, Reason::Ignored.to_string()));
                continue;
            }
            match self.judge(&info) {
                Ok((path, content, mtime)) => {
                    let _same_as_before = wanted.insert(Entry { path, content, mtime });
                }
                Err((_, reason)) => plan.refuse.push((info.rel_path, reason)),
            }
        }
        let difference = diff(self.folder.manifest(), &wanted);
        let sized = |entry: &Entry| (entry.path.clone(), entry.content.size);
        plan.receive.extend(difference.missing.iter().map(sized));
        let retired = retired(&remarks);
        for own in &difference.extra {
            let gone = retired.get(own.path.key().as_str());
            let is_gone = gone.is_some_and(|contents| contents.contains(&own.content.hash.short()));
            let list = if is_gone { &mut plan.retire } else { &mut plan.send };
            list.push(sized(own));
        }
        for (own, wanted) in &difference.different {
            let base = self.folder.synced().get(own.path.key());
            if base == Some(wanted.content.hash) {
                // An update of what the league has.
                plan.send.push(sized(own));
                continue;
            }
            plan.receive.push(sized(wanted));
            if base == Some(own.content.hash) {
                // The league has updated what is still here.
                continue;
            }
            plan.send.push(sized(own));
            if let Some(name) =
                rival_name(&self.folder, &own.path, &self.cx.config, &BTreeSet::new(), &[])
            {
                plan.conflicts.push((own.path.clone(), name));
            }
        }
        if remarks.whole_liveries {
            let kept = self.without(&plan.retire);
            plan.conflicts = self.with_whole_liveries(plan.conflicts, &kept, &wanted);
        }
        self.heed(&remarks, &wanted, &mut plan);
        self.cx.event(Event::Plan(plan));
    }

    /// Takes out of a plan what will not travel as things are.
    fn heed(&self, remarks: &Remarks, wanted: &Manifest, plan: &mut Plan) {
        let here: BTreeSet<_> = self.folder.manifest().iter().map(|own| own.content).collect();
        let out_of_reach: BTreeSet<_> = remarks.unavailable.iter().map(|path| fold(path)).collect();
        let is_available = |(path, _): &(RelPath, u64)| {
            let content = wanted.get(path.key()).map(|file| file.content);
            content.is_some_and(|content| here.contains(&content))
                || !out_of_reach.contains(path.key().as_str())
        };
        (plan.receive, plan.unavailable) =
            mem::take(&mut plan.receive).into_iter().partition(is_available);
        if let Some(allowed) = &remarks.allowed {
            let allowed: BTreeSet<_> = allowed.iter().map(|livery| fold(livery)).collect();
            let is_distributed = |(path, _): &(RelPath, u64)| allowed.contains(path.key().livery());
            (plan.send, plan.undistributed) =
                mem::take(&mut plan.send).into_iter().partition(is_distributed);
        }
    }

    /// What is here but for these files.
    fn without(&self, files: &[(RelPath, u64)]) -> Manifest {
        let mut manifest = self.folder.manifest().clone();
        for (path, _) in files {
            manifest.remove(path.key());
        }
        manifest
    }

    /// What becomes of rivals where their liveries go elsewhere as a whole, as far as this PC can tell.
    fn with_whole_liveries(
        &self,
        rivals: Vec<(RelPath, RelPath)>,
        own: &Manifest,
        wanted: &Manifest,
    ) -> Vec<(RelPath, RelPath)> {
        let is_loose = |(own, _): &(RelPath, RelPath)| own.folder().is_none();
        let (mut whole, in_folders): (Vec<_>, Vec<_>) = rivals.into_iter().partition(is_loose);
        let mut liveries = self.liveries_apart(own, wanted);
        liveries.extend(in_folders.iter().map(|(own, _)| own.key().livery()));
        let naming = &self.cx.config.naming;
        let extensions = &naming.extensions;
        for livery in liveries {
            let files: Vec<_> =
                own.iter().filter(|file| file.path.key().livery() == livery).collect();
            let contents = files.iter().map(|file| (file.path.key(), file.content));
            let hash = livery_hash(livery, contents, extensions);
            for file in &files {
                let spelled = file.path.livery();
                let folder = conflict_folder(spelled, hash, naming, |_| false);
                let name = format!("{folder}{}", &file.path.as_str()[spelled.len()..]);
                whole.extend(
                    RelPath::parse(&name, extensions).map(|name| (file.path.clone(), name)),
                );
            }
        }
        whole
    }

    /// The liveries here that have the name of one of the league's and nothing else in common with it, now or before.
    fn liveries_apart<'a>(&self, own: &'a Manifest, wanted: &Manifest) -> BTreeSet<&'a str> {
        let own = || own.iter().filter(|own| own.path.folder().is_some());
        let theirs: BTreeSet<_> = wanted.iter().map(|wanted| wanted.path.key().livery()).collect();
        let is_common = |own: &&Entry| {
            let key = own.path.key();
            let is_same = |wanted: &Entry| wanted.content == own.content;
            wanted.get(key).is_some_and(is_same) || self.folder.synced().get(key).is_some()
        };
        let common: BTreeSet<_> =
            own().filter(is_common).map(|own| own.path.key().livery()).collect();
        let liveries = own().map(|own| own.path.key().livery());
        liveries.filter(|livery| theirs.contains(livery) && !common.contains(livery)).collect()
    }

    /// Where this PC's driver and others claim one name.
    fn rivalries(&self, remarks: &Remarks, union: &[FileInfo]) -> Vec<Rivalry> {
        let Some(me) = self.cx.config.member_key.as_ref().map(|key| MemberId::of(key).to_string())
        else {
            return Vec::new();
        };
        let is_mine = |file: &OwnedFile| file.member.as_ref() == Some(&me);
        let parse = |path: &str| RelPath::parse(path, &self.cx.config.rules.extensions).ok();
        let digests: HashMap<_, _> =
            union.iter().map(|file| (&*file.rel_path, &*file.sha256)).collect();
        let rivalry = |established: &OwnedFile, rival: &OwnedFile| {
            let own = match (is_mine(established), is_mine(rival)) {
                (true, true) => Claimant::Both,
                (true, false) => Claimant::Established,
                (false, true) => Claimant::Rival,
                (false, false) => return None,
            };
            let digest = |file: &OwnedFile| digests.get(&*file.rel_path).copied();
            let there = digest(established);
            let chosen = if own == Claimant::Established { there } else { None };
            let sha256 = chosen.or_else(|| digest(rival))?.parse().ok()?;
            let (path, rival) = (parse(&established.rel_path)?, parse(&rival.rel_path)?);
            Some(Rivalry { path, rival, own, sha256, free: there.is_none() })
        };
        let pairs = remarks.conflicts.iter().flat_map(|conflict| {
            conflict.copies.iter().map(move |rival| (&conflict.established, rival))
        });
        pairs.filter_map(|(established, rival)| rivalry(established, rival)).collect()
    }
}

/// The names that have no content any more, each with the first digits of what it has had.
fn retired(remarks: &Remarks) -> HashMap<String, BTreeSet<&String>> {
    let retired = remarks.retired.iter();
    retired.map(|gone| (fold(&gone.rel_path), gone.contents.iter().collect())).collect()
}
