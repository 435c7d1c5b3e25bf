//! How a driver's PC stands to the league, for people.

use std::{collections::BTreeMap, fmt::Write as _};

use liverysync::{Claimant, Plan, RelPath, Rivalry, escape};
use serde::Serialize;

use super::words::path;
use crate::units;

/// How a PC stands to the league.
#[derive(Serialize)]
pub(crate) struct Status<'a> {
    /// Address of the server.
    pub(crate) server: &'a str,
    /// Whether a client runs on the folder; `None` if that cannot be seen.
    pub(crate) running: Option<bool>,
    /// Whether it holds all that it can get, and the league has all that is its own.
    pub(crate) in_sync: bool,
    #[serde(flatten)]
    pub(crate) plan: &'a Plan,
}

pub(crate) fn text(status: &Status<'_>) -> String {
    let Status { plan, .. } = status;
    let mut text = format!("{}\n", headline(status));
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{title}:");
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
        }
    };
    section("still to come", by_livery(&plan.receive));
    section("still to go to the others", by_livery(&plan.send));
    section(
        "to be put into .backup, because nobody is to have it any more",
        by_livery(&plan.retire),
    );
    section(
        "nobody who has it is there; it comes when one of them connects",
        by_livery(&plan.unavailable),
    );
    section("not taken on this PC", refusals(&plan.refuse));
    section(
        "not passed on, because it is not on the league's allow list",
        by_livery(&plan.undistributed),
    );
    let kept = plan.conflicts.iter();
    section(
        "another driver's file has this name; yours will go beside it",
        kept.map(|(own, other)| format!("{} as {}", path(own), path(other))).collect(),
    );
    section("one name, two drivers", plan.rivals.iter().flat_map(rivalry).collect());
    text
}

fn headline(status: &Status<'_>) -> String {
    let Status { server, running, in_sync, plan } = status;
    let holds = units::files(plan.files as u64, plan.bytes);
    let server = escape(server);
    let client = match (running, in_sync) {
        (Some(true), true) => "a client runs and keeps it so",
        (Some(true), false) => "a client runs and is at it",
        (Some(false), true) => "no client runs here: nothing new comes until one is started",
        (Some(false), false) => "no client runs here: start one, and it will be",
        (None, _) => "whether a client runs here cannot be seen",
    };
    match in_sync {
        true => format!("in sync with {server}: this PC shares {holds}; {client}"),
        false => format!("not in sync with {server}; {client}"),
    }
}

/// A line for each livery; a single file is named.
fn by_livery(files: &[(RelPath, u64)]) -> Vec<String> {
    let mut liveries: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for file in files {
        liveries.entry(file.0.key().livery()).or_default().push(file);
    }
    let lines = liveries.into_values().map(|files| match &*files {
        [(file, bytes)] => format!("{} ({})", path(file), units::bytes(*bytes)),
        several => {
            let bytes = several.iter().map(|(_, bytes)| bytes).sum();
            let livery = escape(several[0].0.livery());
            format!("{livery}: {}", units::files(several.len() as u64, bytes))
        }
    });
    lines.collect()
}

/// A line for each livery and reason.
fn refusals(files: &[(String, String)]) -> Vec<String> {
    let mut liveries: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (file, reason) in files {
        let livery = file.split('/').next().unwrap_or_default();
        liveries.entry((livery, reason)).or_default().push(file);
    }
    let lines = liveries.into_iter().map(|((livery, reason), files)| match &*files {
        [file] => format!("{}: {}", escape(file), escape(reason)),
        several => {
            let files = units::count(several.len() as u64, "file");
            format!("{} ({files}): {}", escape(livery), escape(reason))
        }
    });
    lines.collect()
}

/// Who has the name, and what to do.
fn rivalry(rivalry: &Rivalry) -> Vec<String> {
    let Rivalry { path: name, rival, own, sha256, free } = rivalry;
    let (livery, name, rival) = (escape(name.livery()), path(name), path(rival));
    let command = format!("liverysync league resolve \"{name}\" --keep {}", sha256.short());
    let has = match (own, free) {
        (Claimant::Established, false) => {
            format!("{name} is yours; another driver's file is there as {rival}")
        }
        (Claimant::Established, true) => {
            format!("{livery} is yours; what another driver has for it is there as {rival}")
        }
        (Claimant::Rival, false) => {
            format!("{name} is another driver's; yours is there as {rival}")
        }
        (Claimant::Rival, true) => {
            format!("{livery} is another driver's; what you have for it is there as {rival}")
        }
        (Claimant::Both, false) => format!("{name} and {rival} are both yours"),
        (Claimant::Both, true) => format!("{livery} and {rival} are both yours"),
    };
    let ask = "ask who looks after the league";
    let what_to_do = match own {
        Claimant::Established => "  nothing to do: yours stays as it is".to_owned(),
        Claimant::Rival => format!(
            "  to have both apart, put yours into a folder of another name; to have the name, {ask}: {command}"
        ),
        Claimant::Both => format!("  to keep the second one only, {ask}: {command}"),
    };
    vec![has, what_to_do]
}
