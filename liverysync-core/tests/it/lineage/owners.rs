//! Ownership of liveries.

use super::*;

fn owners(league: &League, of: &str) -> Vec<MemberId> {
    let liveries = league.union.liveries().into_iter();
    liveries.filter(|livery| livery.livery == of).flat_map(|livery| livery.owners).collect()
}

#[test]
fn first_to_connect_is_not_author() {
    let pack = [(1, 0), (3, 1)];
    for updates in [Updates::Anyone, Updates::Owner] {
        let league = || League::new(Policy::Established, updates);
        let begun = || play_in(league(), [edits(0, &pack), Deed::VerifyAll]);
        assert_eq!(owners(&begun(), "t"), [author(0).unwrap()]);
        let brought = play_in(begun(), [edits(1, &pack)]);
        assert_eq!(owners(&brought, "t"), []);
        let edited = play_in(brought, [edit(1, 1, 2, Base::InSync)]);
        assert_eq!(edited.model.now(NAMES[1]), Some(content(2)));
        assert_eq!(owners(&edited, "t"), [author(1).unwrap()]);
        // From now on it has an author: more who bring it change nothing.
        let edited = play_in(edited, [edits(2, &[(1, 2), (3, 1)])]);
        assert_eq!(owners(&edited, "t"), [author(1).unwrap()]);

        // A part of it, other files, a download, and a peer without a key give nothing up.
        let part = play_in(begun(), [edits(1, &pack[..1]), edits(1, &pack)]);
        let other = play_in(begun(), [edits(1, &[(1, 0), (3, 2)])]);
        let download = play_in(begun(), [Deed::CatchUp(1), Deed::Restart, edits(1, &pack)]);
        let keyless = play_in(begun(), [edits(3, &pack)]);
        let edited = play_in(begun(), [edit(0, 1, 2, Base::InSync), edits(1, &[(1, 2), (3, 1)])]);
        let named = play_in(begun(), [Deed::Own(0, 0), edits(1, &pack)]);
        for league in [part, other, download, keyless, edited, named] {
            assert_eq!(owners(&league, "t"), [author(0).unwrap()]);
        }
    }
}

#[test]
fn a_livery_without_a_key_gets_the_first_owner_who_edits_it() {
    let league = play_in(
        League::new(Policy::Established, Updates::Owner),
        [edits(3, &[(1, 0)]), Deed::VerifyAll, Deed::CatchUp(1), edit(3, 1, 1, Base::InSync)],
    );
    assert_eq!((owners(&league, "t"), league.union.conflicts().len()), (vec![], 1));
    let league = play_in(league, [edit(1, 1, 3, Base::InSync), edit(2, 1, 4, Base::InSync)]);
    assert_eq!(owners(&league, "t"), [author(1).unwrap()]);
    assert_eq!(league.model.now(NAMES[1]), Some(content(3)));
}
