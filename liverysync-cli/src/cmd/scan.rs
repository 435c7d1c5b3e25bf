//! `liverysync scan`: shows the files of a folder that would be shared.

use std::{collections::BTreeSet, path::Path};

use liverysync::{LiveryGlobs, LiveryList, Role, Scan};

use crate::{
    cli::status::ScanArgs,
    exit::Failure,
    output::{self, json},
    text::{
        error,
        scan::{self, Choice},
    },
};

pub(super) fn run(args: &ScanArgs) -> Result<(), Failure> {
    let rules = args.rules.read()?;
    let root = super::liveries_folder(args.liveries.as_deref(), "scan DIR")?;
    let mut found =
        liverysync::scan(&root, &args.shared.rules()).map_err(|error| error::scan(&error))?;
    let lists = Lists::read(args, &root)?;
    found.choose(&lists.ignored, lists.shared.as_ref());
    found.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    let (findings, choice) = (found.lint(&rules), lists.choice(&found));
    if args.output.json {
        output::line(&json::scan(&root.to_string_lossy(), &found, &findings, &choice))?;
    } else {
        output::block(&scan::scan(&found, &findings, &choice, args.detail.verbose))?;
    }
    Ok(())
}

/// The lists of the client of this folder.
struct Lists {
    ignored: LiveryGlobs,
    /// The liveries shared with the league that the client was last in; `None` if its driver has not chosen.
    shared: Option<LiveryGlobs>,
}

impl Lists {
    fn read(args: &ScanArgs, root: &Path) -> Result<Self, Failure> {
        let given = match args.sharing.only() {
            Some(Role::Target) => Some(LiveryGlobs::default()),
            _ => args.sharing.share.clone(),
        };
        let mut lists = Self { ignored: LiveryGlobs::default(), shared: given };
        if let Some(state) = args.state.folder() {
            let ignored = LiveryList::ignored(&state, root)?;
            lists.ignored = ignored.read().map_err(|error| error::livery_list(&error))?;
            let shared = LiveryList::shared(&state, root, None)?;
            if let (None, Some(shared)) = (&lists.shared, shared) {
                lists.shared = shared.chosen().map_err(|error| error::livery_list(&error))?;
            }
        }
        Ok(lists)
    }

    fn choice(&self, found: &Scan) -> Choice {
        let shared = found.manifest.iter().map(|entry| entry.path.as_str());
        let paths = shared.chain(found.skipped.iter().map(|skipped| skipped.path.as_str()));
        let liveries: BTreeSet<_> = paths.filter_map(|path| path.split('/').next()).collect();
        let unmatched = |globs: &LiveryGlobs| {
            let mut unmatched = globs.unmatched(liveries.iter().copied());
            // It is a choice, and no name.
            unmatched.retain(|glob| glob != "*");
            unmatched
        };
        Choice {
            asks: self.shared.is_none() && found.manifest.livery_count() > LiveryGlobs::UNASKED_MAX,
            ignore: unmatched(&self.ignored),
            share: self.shared.as_ref().map(unmatched).unwrap_or_default(),
        }
    }
}
