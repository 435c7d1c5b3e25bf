//! Findings: what is probably wrong with liveries, and what to do about it.

use std::{io, path::Path};

use liverysync::{Finding, escape};

use super::{
    Problem,
    words::{LIST_MAX, block, count, cut},
};

/// Lists all findings, livery by livery.
pub(crate) fn lint(findings: &[Finding], verbose: bool) -> String {
    let liveries: Vec<_> = findings.chunk_by(|a, b| a.livery == b.livery).collect();
    let mut lines: Vec<_> =
        liveries.iter().flat_map(|findings| livery(findings, verbose)).collect();
    lines.push(match findings.len() {
        0 => "No problems found.".to_owned(),
        number => {
            let liveries = count(liveries.len() as u64, "livery");
            format!("{} in {liveries}.", count(number as u64, "problem"))
        }
    });
    block(&lines)
}

/// Writes a livery's findings below its name. Those with the same fix share a hint.
fn livery(findings: &[Finding], verbose: bool) -> Vec<String> {
    let Some(first) = findings.first() else { return Vec::new() };
    let is_cut = !verbose && findings.len() > LIST_MAX + 1;
    let shown = if is_cut { &findings[..LIST_MAX] } else { findings };
    let mut lines = vec![escape(&first.livery).into_owned()];
    for same in shown.chunk_by(|a, b| a.kind() == b.kind() && a.fix() == b.fix()) {
        lines.extend(same.iter().map(|finding| match below(finding) {
            Some(file) => format!("  {}: {}", escape(file), finding.reason()),
            None => format!("  {}", finding.reason()),
        }));
        lines.push(format!("  hint: {}", same[0].fix()));
    }
    if is_cut {
        lines.push(format!("  … and {} more", findings.len() - shown.len()));
    }
    lines
}

/// Returns the path of a file below its livery.
fn below(finding: &Finding) -> Option<&str> {
    finding.path.as_deref()?.split_once('/').map(|(_, below)| below)
}

/// Writes a line for each livery and kind: `Check Team/decals.png: 512 x 512 pixels, not 2048 x 2048 or 4096 x 4096`.
pub(crate) fn warnings(findings: &[Finding], verbose: bool) -> Vec<String> {
    let is_same = |a: &Finding, b: &Finding| a.livery == b.livery && a.kind() == b.kind();
    let line = |same: &[Finding]| {
        let first = same.first()?;
        let what = escape(first.path.as_ref().unwrap_or(&first.livery));
        let more = match same.len() - 1 {
            0 => String::new(),
            more => format!(" (and {} like it)", count(more as u64, "file")),
        };
        Some(format!("Check {what}: {}{more}", first.reason()))
    };
    let lines = findings.chunk_by(is_same).filter_map(line).collect();
    let mut lines = if verbose { lines } else { cut(lines) };
    if !lines.is_empty() {
        lines.push(HINT.to_owned());
    }
    lines
}

const HINT: &str = "hint: `liverysync lint` says what to do about each";

/// Reports rules that cannot be read.
pub(crate) fn unreadable(file: &Path, error: &io::Error) -> Problem {
    Problem::new(format!("cannot read the rules file {}", name(file)))
        .cause(error)
        .hint("check the path given with --rules; the file is TOML in UTF-8")
}

/// Reports a mistake in the rules, at a line and mostly at a key.
pub(crate) fn mistake(file: &Path, line: usize, key: Option<&str>, what: &str) -> Problem {
    let key = key.map_or_else(String::new, |key| format!(", `{}`", escape(key)));
    // The words of TOML are table and key.
    let what = what.replace("unknown field", "unknown key").replace('\n', " ");
    Problem::new(format!("rules file {}, line {line}{key}: {}", name(file), escape(&what)))
        .hint("docs/configuration.md has an example of a rules file")
}

fn name(file: &Path) -> String {
    escape(&file.display().to_string()).into_owned()
}
