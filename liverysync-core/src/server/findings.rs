//! Findings: people learn which liveries break a rule of the league.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, context::Context};
use crate::{
    hash::Content,
    league::{HeldLivery, Lint},
    lint::Finding,
    path::PathKey,
};

/// The findings that were told, by the folded name of the livery. A livery without any has no entry.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<String, BTreeSet<Finding>>);

impl Told {
    /// Takes what is found now. Returns what is news.
    fn replace(&mut self, livery: &str, now: Vec<Finding>) -> Vec<Finding> {
        let before = self.0.remove(livery).unwrap_or_default();
        let news = now.iter().filter(|finding| !before.contains(finding)).cloned().collect();
        if !now.is_empty() {
            self.0.insert(livery.to_owned(), now.into_iter().collect());
        }
        news
    }
}

/// Reports what is wrong with the liveries of names whose content has changed.
pub(super) fn tell_changed(cx: &mut Context, changed: &BTreeSet<PathKey>) {
    tell(cx, changed.iter().map(|key| key.livery().to_owned()).collect());
}

/// Reports what is wrong with the liveries that have these contents: what their bytes tell is news.
pub(super) fn tell_inspected(cx: &mut Context, inspected: &[Content]) {
    let union = cx.league.union();
    let entries = inspected.iter().flat_map(|content| union.with_content(*content));
    tell(cx, entries.map(|entry| entry.path.key().livery().to_owned()).collect());
}

fn tell(cx: &mut Context, liveries: BTreeSet<String>) {
    if cx.config.settings.lint == Lint::Off {
        return;
    }
    for livery in liveries {
        let found = cx.league.union().findings_of(&livery);
        for finding in cx.findings.replace(&livery, found) {
            let author = cx.league.union().author_of_finding(&livery, &finding);
            let name = author.and_then(|author| cx.league.name(author)).map(str::to_owned);
            cx.event(Event::Finding { name, finding, published: true });
        }
    }
}

/// Returns the events about the rules that a held livery breaks.
pub(super) fn of_held(cx: &Context, held: &HeldLivery, name: Option<&String>) -> Vec<Event> {
    let findings = cx.league.union().findings_in(held).into_iter();
    findings
        .map(|finding| Event::Finding { name: name.cloned(), finding, published: false })
        .collect()
}
