//! The texts about ignored and shared liveries.

use liverysync::Outstanding;

use super::{
    super::{
        client, error,
        lists::{
            Change::{Added, Removed},
            Shown, ignored, shared,
        },
        scan::Choice,
    },
    Texts,
};

pub(super) fn list_texts(all: &mut Texts) {
    let (none, team): (&[String], _) = (&[], ["Team".to_owned()]);
    let show = |change, changed, now, unmatched| Shown { change, changed, now, unmatched };
    all.section("ignore");
    all.block(ignored(show(Some(Added), &["Team", "#2_*"], &["#2_*", "Team"], none)));
    all.block(ignored(show(Some(Removed), &["Team"], &[], none)));
    all.block(ignored(show(Some(Added), &[], &["Team"], none)));
    all.block(ignored(show(None, &[], &["Team"], &team)));
    all.section("share");
    let league = "league:9239";
    all.block(shared(league, false, show(None, &[], &[], none)));
    all.block(shared(league, true, show(Some(Removed), &["904*"], &[], none)));
    all.block(shared(league, true, show(Some(Added), &["*"], &["*"], none)));
    all.block(shared(league, true, show(None, &[], &["904*", "!904 old"], none)));
    all.block(error::no_league_yet());
    all.block(error::one_direction());
}

/// Adds the question which liveries to share.
pub(super) fn share_texts(all: &mut Texts) {
    let names: Vec<_> = (1..=12).map(|at| format!("S3 {at}")).collect();
    let needed = client::ShareNeeded { liveries: 12, bytes: 17_000_000, names: &names };
    all.add(client::share_needed(needed, false));
    all.add(client::share_needed(needed, true));
    all.add(client::share_answer_fault("\"a/b\" is not the name of a livery"));
    all.add(client::globs_unmatched(false, &["Taem A".to_owned(), "!904*".to_owned()]));
    all.add(client::globs_unmatched(true, &["Taem A".to_owned()]));
    let outstanding = [Outstanding::ShareNeeded { path: "S3 1".into(), reason: "R".into() }];
    let now = client::InSync { outstanding: &outstanding, certain: true, ..Default::default() };
    all.add(client::in_sync(now, client::Moved::default(), false));
}

/// Returns what lists do to a scan.
pub(super) fn choices() -> [Choice; 2] {
    let asks = Choice { asks: true, ..Choice::default() };
    [asks, Choice { ignore: vec!["Taem A".into()], share: vec!["904*".into()], asks: false }]
}
