//! The acts of owners, who ask for them over their connections.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Event,
    context::Context,
    reports::Reports,
    union_step::{self, Reported},
};
use crate::{
    league::{ActError, ActReport, MemberId},
    time::Time,
    union::PeerId,
    wire::messages::{ActRequest, Message},
};

/// The most acts of one member within [`INTERVAL`]. An act costs as much as the livery has files, however short the
/// message that asks for it.
const ACTS_MAX: u32 = 30;

const INTERVAL: Duration = Duration::from_secs(60);

/// The acts of owners, and how many each has had lately.
#[derive(Debug, Default)]
pub(super) struct OwnerActs {
    since: Time,
    counts: BTreeMap<MemberId, u32>,
}

impl OwnerActs {
    /// Carries out an act of a member, and answers.
    pub(super) fn handle(
        &mut self,
        cx: &mut Context,
        reports: &mut Reports,
        id: PeerId,
        request: ActRequest,
    ) {
        let outcome = self.carry_out(cx, reports, id, &request);
        let outcome = outcome.map_err(|error| with_names(cx, error));
        if let (Ok(report), false) = (&outcome, request.preview) {
            let name = cx.peers.name(id).unwrap_or_default();
            let (act, names) = request.act.of_owner();
            let names = names.into_iter().map(str::to_owned).collect();
            let (placed, retired) = (report.placed, report.retired);
            cx.event(Event::OwnerActed { name, act, names, placed, retired });
        }
        cx.transmit(id, Message::Acted(outcome.into()));
    }

    fn carry_out(
        &mut self,
        cx: &mut Context,
        reports: &mut Reports,
        id: PeerId,
        request: &ActRequest,
    ) -> Result<ActReport, ActError> {
        let member = cx.peers.get(id).and_then(|peer| peer.identity.member);
        // First: a check that fails costs as much as one that passes.
        self.count(cx.now, member)?;
        let report = cx.league.union().check_act_of(member, &request.act)?;
        if request.preview {
            return Ok(report);
        }
        // The owner may have changed files that the union has not taken in yet.
        reports.merge(cx);
        let (report, step) = cx.league.act_of(member, &request.act)?;
        union_step::finish(cx, step, &Reported::new());
        Ok(report)
    }

    fn count(&mut self, now: Time, member: Option<MemberId>) -> Result<(), ActError> {
        if now.since(self.since) >= INTERVAL {
            (self.since, self.counts) = (now, BTreeMap::new());
        }
        // Who has no key owns nothing, and is refused before anything costs.
        let Some(member) = member else { return Ok(()) };
        let count = self.counts.entry(member).or_default();
        *count += 1;
        if *count > ACTS_MAX { Err(ActError::TooMany) } else { Ok(()) }
    }
}

/// Names the owners, whom the union knows by their ids only.
fn with_names(cx: &Context, error: ActError) -> ActError {
    let ActError::NotOwner { livery, owners } = error else { return error };
    let name = |id: String| {
        let member = id.parse().ok();
        member.and_then(|member| cx.league.name(member)).map_or(id.clone(), str::to_owned)
    };
    ActError::NotOwner { livery, owners: owners.into_iter().map(name).collect() }
}
