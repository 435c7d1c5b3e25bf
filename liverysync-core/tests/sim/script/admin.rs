//! Acts of the administrator.

use liverysync_core::{
    conflict::{Naming, in_claimed_livery},
    league::Act,
    server,
    union::Union,
};

use super::{Script, files::other_case, members::member_of};
use crate::rig::{SimServer, World};

impl Script {
    pub(super) fn administer(&mut self, world: &mut World) {
        let SimServer::New(server) = &world.server else { return };
        let union = server.machine.union();
        let (liveries, conflicts) = (union.liveries(), union.conflicts());
        let here: Vec<_> = liveries.iter().filter(|livery| !livery.retired).collect();
        let gone: Vec<_> = liveries.iter().filter(|livery| livery.retired).collect();
        let act = match self.rng.below(5) {
            0 if !here.is_empty() => {
                let livery = self.rng.pick(&here).livery.clone();
                let liveries = self.liveries_to_retire(union, livery);
                let histories = liveries.iter().flat_map(|one| union.history(livery_of(one)));
                let contents = histories.flat_map(|version| version.changes);
                // A backup is all that is to be left of it.
                world.put_away.extend(contents.filter_map(|change| change.content));
                Act::Retire { liveries, confirmed: true }
            }
            1 if !gone.is_empty() => {
                Act::Restore { livery: self.rng.pick(&gone).livery.clone(), version: None }
            }
            2 if !here.is_empty() => {
                let livery = self.rng.pick(&here).livery.clone();
                // The name of a loose file says what it is.
                let end = if livery.contains('.') { ".png" } else { "" };
                let new = match self.rng.below(5) {
                    4 if self.options.variants => other_case(&livery),
                    number => format!("renamed {number}{end}"),
                };
                Act::Rename { livery, new }
            }
            3 if !conflicts.is_empty() => {
                let conflict = self.rng.pick(&conflicts);
                let rivals = conflict.copies.iter().map(|(_, content)| Some(*content));
                let contents: Vec<_> = rivals.chain([conflict.established]).collect();
                let none = || Act::KEEP_NONE.to_owned();
                let keep = self.rng.pick(&contents).map_or_else(none, |kept| kept.hash.to_string());
                // The contents that the admin declines may be lost.
                world.given_up.extend(contents.iter().flatten().map(|content| content.hash));
                // An edit that is on its way when the admin decides counts as declined, too.
                let edits = world.pcs.iter().filter_map(|pc| pc.disk.get(conflict.path.as_str()));
                world.put_away.extend(edits.map(|node| node.content));
                if self.options.whole_liveries {
                    // All of the liveries that claim the name go, but for one.
                    let claims = union.iter().filter(|entry| {
                        let claimed = in_claimed_livery(&entry.path, &Naming::default());
                        let claimed = claimed.unwrap_or_else(|| entry.path.clone());
                        claimed.key().livery() == conflict.path.key().livery()
                    });
                    world.put_away.extend(claims.map(|entry| entry.content));
                }
                Act::Resolve { path: conflict.path.to_string(), keep }
            }
            4 if here.len() > 1 => {
                let old = self.rng.pick(&here).livery.clone();
                let contents = union.history(&old).into_iter().flat_map(|version| version.changes);
                world.put_away.extend(contents.filter_map(|change| change.content));
                Act::Replace { old, new: self.rng.pick(&here).livery.clone() }
            }
            _ => return,
        };
        let livery = match &act {
            Act::Retire { liveries, .. } => liveries.first(),
            Act::Rename { livery, .. } | Act::Replace { old: livery, .. } => Some(livery),
            _ => None,
        };
        let owner = livery.and_then(|livery| union.owner(livery));
        let is_theirs = |pc: &usize| owner.is_some() && member_of(world, *pc) == owner;
        if let Some(owner) = (0..world.pcs.len()).find(is_theirs).filter(|_| self.rng.percent(50)) {
            // Those who may not do this are refused.
            let any = self.rng.below(world.pcs.len() as u64) as usize;
            let pc = if self.rng.percent(80) { owner } else { any };
            world.say(|| format!("{}: {act:?}", world.pcs[pc].name));
            world.mark_busy(|| "an owner".into());
            return world.ask(pc, act);
        }
        world.say(|| format!("the administrator: {act:?}"));
        world.mark_busy(|| "the administrator".into());
        world.feed_server(server::Input::Act(1, act));
    }

    /// Returns a livery, or at times all that its owner has.
    fn liveries_to_retire(&mut self, union: &Union, livery: String) -> Vec<String> {
        let owner = union.owner(&livery).filter(|_| self.holds.percent(15));
        let theirs = owner.and_then(|owner| union.select(&[], Some(owner)).ok());
        theirs.map_or(vec![livery], |theirs| theirs.into_keys().collect())
    }
}

fn livery_of(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}
