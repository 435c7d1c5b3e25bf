//! How this PC stands to the union, and what a dry run finds out.

use super::*;
use crate::{
    client::{Claimant, Rivalry},
    league::Author,
    wire::v1::{Authored, Remarks},
};

impl ClientMachine {
    pub(super) fn server_state(&mut self, state: ServerState) {
        match state.standing {
            Some(standing) => {
                self.standing = Some(standing);
                self.learn_bases(&standing, &state.behind);
                let Standing { missing, missing_bytes, wanted, withheld, .. } = standing;
                self.event(Event::Standing { missing, missing_bytes, wanted, withheld });
            }
            None => self.old_state = Some(state.current_hash),
        }
    }

    /// What the server knows of this PC is in step, but for what is `behind`.
    fn learn_bases(&mut self, standing: &Standing, behind: &[String]) {
        let Some(published) = &self.published else { return };
        if standing.revision == self.revision && !self.config.dry_run {
            let behind = behind.iter().map(|path| fold(path)).collect();
            self.bases_news |= self.bases.in_step(published, &behind);
        }
    }

    /// Tells people once when this PC holds the union and nobody needs it.
    pub(super) fn check_in_step(&mut self) {
        // A walk that may well find nothing new is no reason to fall out of step.
        let quiet = self.folder.is_quiet() || (self.in_step && self.folder.is_listing());
        let sending = !self.outbound.is_empty() || !self.uploads.is_empty();
        let idle = self.inbound.is_empty() && !sending && self.retiring == 0 && quiet;
        let now_in_step = if idle { self.how_in_step() } else { None };
        let was_in_step = std::mem::replace(&mut self.in_step, now_in_step.is_some());
        if let (Some((withheld, certain)), false) = (now_in_step, was_in_step) {
            let (known, bytes) = (self.folder.known(), self.folder.total_bytes());
            let conflicts = known.iter().map(|file| &file.path).filter(|path| self.is_rival(path));
            let (files, conflicts) = (known.len(), conflicts.cloned().collect());
            self.awaited = false;
            self.folder.handle_in_step(self.now.time);
            // What came of files that nobody offers any more.
            self.discard_parked();
            self.event(Event::InStep { files, bytes, conflicts, withheld, certain });
        }
    }

    fn is_rival(&self, path: &RelPath) -> bool {
        is_conflict_name(path, &self.config.naming.suffix)
    }

    /// If this PC holds the union and nobody needs it: how many files are withheld from it, and
    /// whether the server said so.
    pub(super) fn how_in_step(&self) -> Option<(u64, bool)> {
        let Link::Up { ours, .. } = self.link else { return None };
        if ours {
            let standing =
                self.standing.filter(|standing| standing.missing == 0 && standing.wanted == 0)?;
            return (self.revision == standing.revision).then_some((standing.withheld, true));
        }
        let quiet = self.now.time.since(self.busy_at);
        if quiet < OLD_STATE_INTERVAL {
            return None;
        }
        let own = self.folder.manifest().union_hash().to_string();
        let same = self.old_state.as_ref() == Some(&own);
        (same || quiet >= OLD_QUIET).then_some((0, same))
    }

    /// Compares the union that the server told with this PC, once it is known what this PC holds.
    pub(super) fn check_plan(&mut self) {
        if self.folder.is_quiet()
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
            files,
            bytes,
            rivals: self.rivalries(&remarks, &union.manifest),
            ..Plan::default()
        };
        let mut wanted = Manifest::new();
        for info in union.manifest {
            if self.config.ignored.covers(&info.rel_path) {
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
        plan.send.extend(difference.extra.iter().map(sized));
        for (own, wanted) in &difference.different {
            let base = self.bases.get(own.path.key());
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
                rival_name(&self.folder, &own.path, &self.config, &BTreeSet::new(), &[])
            {
                plan.conflicts.push((own.path.clone(), name));
            }
        }
        self.heed(&remarks, &wanted, &mut plan);
        self.event(Event::Plan(plan));
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

    /// Where this PC's driver and others claim one name.
    fn rivalries(&self, remarks: &Remarks, union: &[FileInfo]) -> Vec<Rivalry> {
        let Some(me) = self.config.member_key.as_ref().map(|key| Author::of(key).to_string())
        else {
            return Vec::new();
        };
        let is_mine = |file: &Authored| file.author.as_ref() == Some(&me);
        let parse = |path: &str| RelPath::parse(path, &self.config.rules.extensions).ok();
        let digests: HashMap<_, _> =
            union.iter().map(|file| (&*file.rel_path, &*file.sha256)).collect();
        let rivalry = |established: &Authored, rival: &Authored| {
            let (own, file) = match (is_mine(established), is_mine(rival)) {
                (true, true) => (Claimant::Both, rival),
                (true, false) => (Claimant::Established, established),
                (false, true) => (Claimant::Rival, rival),
                (false, false) => return None,
            };
            let sha256 = digests.get(&*file.rel_path)?.parse().ok()?;
            let (path, rival) = (parse(&established.rel_path)?, parse(&rival.rel_path)?);
            Some(Rivalry { path, rival, own, sha256 })
        };
        let pairs = remarks.conflicts.iter().flat_map(|conflict| {
            conflict.rivals.iter().map(move |rival| (&conflict.established, rival))
        });
        pairs.filter_map(|(established, rival)| rivalry(established, rival)).collect()
    }
}
