//! Blocks and limits in the model. Every content has one byte.

use liverysync_core::league::HoldState;

use super::{
    model::{Claim, Model},
    *,
};

/// The most liveries and bytes of a member, and the most bytes of a livery.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Limits {
    pub(super) liveries: Option<usize>,
    pub(super) bytes: Option<i64>,
    pub(super) livery_bytes: Option<i64>,
}

/// The new liveries and the bytes of what was let through in one round.
pub(super) type Planned = BTreeMap<Option<MemberId>, (BTreeSet<String>, i64)>;

impl Model {
    pub(super) fn is_blocked(&self, content: Content) -> bool {
        self.blocked.contains(&content)
    }

    fn names_by(&self, author: Option<MemberId>) -> BTreeSet<String> {
        let names = self.names().into_iter().map(|(name, _)| name);
        names.filter(|name| self.author_of(name) == author).collect()
    }

    /// Returns true if changes exceed a limit and nobody has approved them. Otherwise they are planned.
    pub(super) fn is_too_much(
        &self,
        of: &str,
        changes: &[Claim],
        state: HoldState,
        planned: &mut Planned,
    ) -> bool {
        let author = author(changes[0].member);
        let theirs = self.names_by(author);
        let separates = self.scope == Scope::Livery && changes[0].name.contains('/');
        let (mut bytes, mut growth, mut copy) = (0, 0, 0);
        for change in changes {
            let in_conflict = self.is_rival(change) || self.is_foreign(change);
            if self.is_update(change) {
                bytes += i64::from(!theirs.contains(&change.name));
            } else if in_conflict && separates {
                (bytes, copy) = (bytes + 1, copy + 1);
            } else if in_conflict || self.is_free(change) {
                (bytes, growth) = (bytes + 1, growth + 1);
            }
        }
        let is_copy = |name: &String| livery(name) != of && plain_folder(livery(name)) == of;
        let has_it = match copy {
            0 => theirs.iter().any(|name| livery(name) == of),
            _ => theirs.iter().any(is_copy),
        };
        let liveries: BTreeSet<_> = theirs.iter().map(|name| livery(name)).collect();
        let (new, more) = planned.entry(author).or_default();
        let is_new = !has_it && !new.contains(of);
        let livery_bytes = self.names_of(of).len() as i64 + growth;
        let exceeds = |would: i64, limit: Option<i64>| limit.is_some_and(|limit| would > limit);
        let too_much = exceeds(copy, self.limits.livery_bytes)
            || growth > 0 && exceeds(livery_bytes, self.limits.livery_bytes)
            || bytes > 0 && exceeds(theirs.len() as i64 + *more + bytes, self.limits.bytes)
            || is_new
                && self.limits.liveries.is_some_and(|max| liveries.len() + new.len() + 1 > max);
        let too_much = too_much && state == HoldState::Waiting;
        if !too_much {
            *more += bytes;
            new.extend((!has_it).then(|| of.to_owned()));
        }
        too_much
    }
}

fn set(setting: Setting, value: usize) -> Deed {
    Deed::Set(setting, value)
}

#[test]
fn what_exceeds_a_limit_is_held_until_there_is_room() {
    // Two liveries of each member, of at most one byte.
    let mut league = League::new(Policy::Established, Updates::Anyone);
    league = play_in(league, [set(Setting::MaxLiveriesPerMember, 3)]);
    league = play_in(league, [edits(0, &[(0, 1), (3, 2), (4, 3)])]);
    let names = |league: &League| -> Vec<_> {
        league.union.iter().map(|entry| entry.path.as_str().to_owned()).collect()
    };
    assert_eq!(names(&league), ["loose.png", "t/b.json"]);
    let held: Vec<_> = league.union.held().map(|hold| hold.livery.clone()).collect();
    assert_eq!(held, ["u"]);
    // Another member has room of their own, and an act makes room.
    league = play_in(league, [edit(1, 4, 4, Base::None), Deed::VerifyAll, Deed::Retire(3)]);
    assert_eq!(league.union.held().count(), 0);
}

#[test]
fn an_admin_may_approve_what_exceeds_a_limit() {
    let league = play([
        set(Setting::MaxBytesPerLivery, 2),
        edits(0, &[(1, 1), (3, 2)]),
        Deed::Decide(true, Some(0), None),
    ]);
    assert_eq!(league.union.len(), 2);
}

#[test]
fn a_blocked_content_goes_from_every_name_and_comes_under_none() {
    let league = play([
        edits(0, &[(1, 1), (4, 1), (3, 2)]),
        Deed::VerifyAll,
        Deed::Block(true, 1),
        edits(1, &[(0, 1)]),
        edits(2, &[(1, 1), (4, 3)]),
        Deed::Decide(true, None, None),
    ]);
    let contents: BTreeSet<_> = league.union.iter().map(|entry| entry.content).collect();
    assert_eq!(contents, BTreeSet::from([content(2), content(3)]));
    let held: Vec<_> = league.union.held().map(|hold| hold.livery.clone()).collect();
    assert_eq!(held, ["loose.png"], "nothing but what is blocked, and nobody can approve it");
    let league = play_in(league, [Deed::Block(false, 1)]);
    assert!(league.union.iter().any(|entry| entry.content == content(1)));
}

// An admin lets a file that waits keep its name: it is there under that name then, and waits no more.
#[test]
fn a_file_that_waits_may_be_the_one_that_is_kept() {
    let mut league = League::with_scope(Policy::Established, Updates::Anyone, Scope::File);
    let both = |edit| {
        Deed::Edits(vec![(1, BTreeMap::from([(1, edit)])), (2, BTreeMap::from([(1, edit)]))])
    };
    let deeds = [
        both((Some(4), Base::InSync)),
        edit(0, 1, 3, Base::None),
        Deed::Set(Setting::MaxBytesPerLivery, 2),
        Deed::Verify(3),
        both((None, Base::InSync)),
        Deed::Resolve(0, 2),
    ];
    for deed in deeds {
        league.do_deed(deed);
        league.check();
    }
    let kept = league.union.get(path(NAMES[1]).key()).unwrap();
    assert_eq!(kept.holders().map(|(holder, _)| holder.0).collect::<Vec<_>>(), [0]);
}
