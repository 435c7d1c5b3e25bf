//! `liverysync lint`: finds what is probably wrong with liveries before they spread.

use crate::{
    cli::lint::LintArgs,
    exit::Failure,
    output::{self, json},
    text::{error, lint},
};

pub(super) fn run(args: &LintArgs) -> Result<(), Failure> {
    let rules = args.rules.read()?;
    let root = super::liveries_folder(args.liveries.as_deref(), "lint DIR")?;
    let found =
        liverysync::scan(&root, &args.shared.rules()).map_err(|error| error::scan(&error))?;
    let findings = found.lint(&rules);
    if args.output.json {
        output::line(&json::lint(&root.to_string_lossy(), &findings))?;
    } else {
        output::block(&lint::lint(&findings, args.detail.verbose))?;
    }
    if findings.is_empty() { Ok(()) } else { Err(Failure::Outstanding) }
}
