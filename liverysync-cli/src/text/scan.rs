//! `liverysync scan`: files that would be shared.

use liverysync::{Entry, Finding, RelPath, Scan};

use super::{
    client, lint, skipped,
    words::{block, by_livery, count, liveries, livery_lines, path},
};

/// The effects that this PC's lists have on a scan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    /// Set if a league that is new to this PC gets none of its liveries that are new to the league, until the driver
    /// chooses.
    pub(crate) asks: bool,
    /// Globs that match no livery: of the list of ignored ones, and of the list of shared ones.
    pub(crate) ignore: Vec<String>,
    pub(crate) share: Vec<String>,
}

pub(crate) fn scan(scan: &Scan, findings: &[Finding], choice: &Choice, verbose: bool) -> String {
    let Scan { manifest, skipped, .. } = scan;
    let shared: Vec<(RelPath, u64)> =
        manifest.iter().map(|entry| (entry.path.clone(), entry.content.size)).collect();
    let mut lines: Vec<String> = match verbose {
        true => manifest.iter().map(file).collect(),
        false => livery_lines(&shared),
    };
    lines.extend(skipped::lines("Skipped: ", skipped, verbose));
    lines.extend(lint::warnings(findings, verbose));
    let number = by_livery(&shared, |(file, _)| file).len();
    let left_out = count(skipped.len() as u64, "file");
    lines.push(format!(
        "Would share {} ({}); skipped {left_out}.",
        liveries(number, manifest.total_bytes()),
        count(shared.len() as u64, "file")
    ));
    if choice.asks {
        lines.push(
            "A league gets none of the liveries that it does not have until you choose, because they may be more than 10.\nhint: liverysync share add \"*\", or name some of them"
                .to_owned(),
        );
    }
    for (shared, globs) in [(false, &choice.ignore), (true, &choice.share)] {
        if !globs.is_empty() {
            lines.push(client::globs_unmatched(shared, globs));
        }
    }
    if verbose {
        lines.push(format!("Manifest hash: {}", manifest.hash()));
    }
    block(&lines)
}

fn file(entry: &Entry) -> String {
    format!("{}  {:>12}  {}", entry.content.hash, entry.content.size, path(&entry.path))
}
