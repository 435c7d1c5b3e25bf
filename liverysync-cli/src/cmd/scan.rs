//! `liverysync scan`: what of a folder would be shared, what would not, and the manifest's hash.

use std::{collections::BTreeSet, fmt::Write as _};

use liverysync::{Scan, escape};

use crate::{
    cli::status::ScanArgs,
    exit::{Exit, Failure},
    output::{self, json, words},
    units,
};

pub(super) fn run(args: &ScanArgs) -> Result<(), Failure> {
    let how_to_say = "give the folder: liverysync scan DIR";
    let root = super::liveries_folder(args.liveries.as_deref(), how_to_say)?;
    let rules = args.shared.rules();
    let mut scan = liverysync::scan(&root, &rules).map_err(|error| {
        Failure::of(Exit::Failed, error).hint("give a folder that is there and can be read")
    })?;
    scan.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    if args.output.json {
        output::line(&json::scan(&root.to_string_lossy(), &scan))?;
    } else {
        output::block(&text(&scan))?;
    }
    Ok(())
}

fn text(scan: &Scan) -> String {
    let Scan { manifest, skipped } = scan;
    let mut text = String::new();
    // Writing to a string cannot fail.
    for entry in manifest {
        let (content, path) = (entry.content, words::path(&entry.path));
        let _ = writeln!(text, "{}  {:>12}  {path}", content.hash, content.size);
    }
    for item in skipped {
        let (path, reason) = (escape(&item.path), item.reason.to_string());
        let _ = writeln!(text, "not shared: {path}: {}", escape(&reason));
    }
    let liveries: BTreeSet<_> = manifest.iter().map(|entry| entry.path.key().livery()).collect();
    let liveries = match liveries.len() {
        1 => "1 livery".to_owned(),
        several => format!("{several} liveries"),
    };
    let files = units::files(manifest.len() as u64, manifest.total_bytes());
    let _ = writeln!(text, "{liveries}, {files}; {} not shared", skipped.len());
    let _ = writeln!(text, "manifest hash {}", manifest.hash());
    text
}
