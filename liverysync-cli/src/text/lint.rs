//! Findings: what is probably wrong with liveries, and what to do about it.

use std::{io, path::Path};

use liverysync::{Finding, LintRulesMistake, escape};

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

/// Reports rules that cannot be read, or a mistake in them, which has a line and mostly a key.
pub(crate) fn rules(file: &Path, error: &io::Error) -> Problem {
    let name = name(file);
    let Some(LintRulesMistake { line, key, reason, .. }) = LintRulesMistake::find(error) else {
        return Problem::new(format!("cannot read the rules file {name}"))
            .cause(error)
            .hint("check the path given with --rules; the file is TOML in UTF-8");
    };
    let key = key.as_ref().map_or_else(String::new, |key| format!(", `{}`", escape(key)));
    Problem::new(format!("rules file {name}, line {line}{key}: {}", escape(reason)))
        .hint("docs/configuration.md has an example of a rules file")
}

fn name(file: &Path) -> String {
    escape(&file.display().to_string()).into_owned()
}
