//! `liverysync scan`: shows the files of a folder that would be shared.

use liverysync::LintRules;

use crate::{
    cli::status::ScanArgs,
    exit::Failure,
    output::{self, json},
    text::{error, scan},
};

pub(super) fn run(args: &ScanArgs) -> Result<(), Failure> {
    let root = super::liveries_folder(args.liveries.as_deref(), "scan DIR")?;
    let mut found =
        liverysync::scan(&root, &args.shared.rules()).map_err(|error| error::scan(&error))?;
    found.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    let findings = found.lint(&LintRules::default());
    if args.output.json {
        output::line(&json::scan(&root.to_string_lossy(), &found, &findings))?;
    } else {
        output::block(&scan::scan(&found, &findings, args.detail.verbose))?;
    }
    Ok(())
}
