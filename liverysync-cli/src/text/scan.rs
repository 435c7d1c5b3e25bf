//! `liverysync scan`: files that would be shared.

use liverysync::{Entry, Finding, RelPath, Scan};

use super::{
    lint, skipped,
    words::{block, by_livery, count, liveries, livery_lines, path},
};

pub(crate) fn scan(scan: &Scan, findings: &[Finding], verbose: bool) -> String {
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
    if verbose {
        lines.push(format!("Manifest hash: {}", manifest.hash()));
    }
    block(&lines)
}

fn file(entry: &Entry) -> String {
    format!("{}  {:>12}  {}", entry.content.hash, entry.content.size, path(&entry.path))
}
