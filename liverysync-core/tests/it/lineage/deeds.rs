//! The deeds of members and admins, chosen at random.

use super::*;

/// The base of an edit.
#[derive(Clone, Copy, Debug)]
pub(super) enum Base {
    InSync,
    Of(u8),
    None,
}

/// The new content of a file, if it exists, and its base.
pub(super) type Edit = (Option<u8>, Base);

#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// Members change files. A member who was away returns with the files they have.
    Edits(Vec<(u64, BTreeMap<usize, Edit>)>),
    Leave(u64),
    /// A member spells the folder of a livery in upper or lower case.
    Spell(u64, usize, bool),
    /// A member downloads the whole union.
    CatchUp(u64),
    Verify(u8),
    VerifyAll,
    Retire(usize),
    Restore(usize, Option<usize>),
    Resolve(usize, usize),
    Rename(usize, usize),
    Own(usize, u64),
    Replace(usize, usize),
    /// A member withdraws, renames or replaces a livery, which may be another member's.
    OwnerAct(u64, usize, Act),
    Set(Setting, usize),
    /// An admin approves (or rejects) what is held of a livery, of a member, or of all.
    Decide(bool, Option<usize>, Option<u64>),
    /// An admin blocks (or unblocks) a content.
    Block(bool, u8),
    /// The freezes that end by themselves do.
    EndFreezes,
    /// The server restarts from its records.
    Restart,
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let base = prop_oneof![
        4 => Just(Base::InSync),
        2 => Just(Base::None),
        1 => (0..CONTENTS).prop_map(Base::Of),
    ];
    let content = prop::option::weighted(0.85, 0..CONTENTS);
    (content, base)
}

pub(super) fn any_deed() -> impl Strategy<Value = Deed> {
    let edits = prop::collection::btree_map(0..NAMES.len(), any_edit(), 1..5);
    let edits = prop::collection::btree_map(0..MEMBERS, edits, 1..4);
    let livery = 0..LIVERIES.len();
    prop_oneof![
        12 => edits.prop_map(|edits| Deed::Edits(edits.into_iter().collect())),
        3 => (0..MEMBERS).prop_map(Deed::Leave),
        2 => (0..MEMBERS).prop_map(Deed::CatchUp),
        2 => spelling::any_spelling(),
        3 => (0..CONTENTS).prop_map(Deed::Verify),
        1 => Just(Deed::VerifyAll),
        1 => livery.clone().prop_map(Deed::Retire),
        1 => (livery.clone(), prop::option::of(0_usize..9)).prop_map(|(l, v)| Deed::Restore(l, v)),
        1 => (0_usize..9, 0_usize..9).prop_map(|(name, keep)| Deed::Resolve(name, keep)),
        1 => (livery.clone(), 0_usize..3).prop_map(|(old, new)| Deed::Rename(old, new)),
        1 => (livery, 0..MEMBERS).prop_map(|(livery, member)| Deed::Own(livery, member)),
        1 => (0..LIVERIES.len(), 0_usize..3).prop_map(|(old, new)| Deed::Replace(old, new)),
        2 => any_owner_act(),
        2 => any_setting().prop_map(|(setting, value)| Deed::Set(setting, value)),
        2 => any_decision(),
        1 => (prop::bool::weighted(0.6), 0..CONTENTS).prop_map(|(on, byte)| Deed::Block(on, byte)),
        1 => Just(Deed::EndFreezes),
        1 => Just(Deed::Restart),
    ]
}

fn any_decision() -> impl Strategy<Value = Deed> {
    let livery = prop::option::of(0..LIVERIES.len());
    let member = prop::option::weighted(0.3, 0..MEMBERS);
    let decision = (prop::bool::weighted(0.7), livery, member);
    decision.prop_map(|(approved, livery, member)| Deed::Decide(approved, livery, member))
}

/// Returns an act of a member, with the livery that they would have to own.
fn any_owner_act() -> impl Strategy<Value = Deed> {
    // The last livery is a loose file, whose name no folder gets.
    let folders = 0..LIVERIES.len() - 1;
    let any = (0..MEMBERS, 0..LIVERIES.len(), folders, 0..NAMES.len(), 0..4_u8);
    any.prop_map(|(member, of, other, file, kind)| {
        let (livery, new) = (LIVERIES[of].to_owned(), LIVERIES[other].to_owned());
        let (of, act) = match kind {
            0 => (of, Act::Retire { liveries: vec![livery], confirmed: false }),
            1 => {
                let file = NAMES[file];
                let of = LIVERIES.iter().position(|livery| *livery == super::livery(file));
                (of.unwrap(), Act::Retire { liveries: vec![file.to_owned()], confirmed: false })
            }
            // The model does not know that a folder and a loose file cannot have one name.
            2 => (of, Act::Rename { livery, new: LIVERIES[other % 3].to_owned() }),
            _ => (of, Act::Replace { old: livery, new }),
        };
        Deed::OwnerAct(member, of, act)
    })
}

/// Returns any setting but the suffix and the extensions, which the model knows as constants, with the place of its value.
fn any_setting() -> impl Strategy<Value = (Setting, usize)> {
    let settings = [
        Setting::ConflictPolicy,
        Setting::ConflictScope,
        Setting::Updates,
        Setting::Approval,
        Setting::Frozen,
        Setting::MaxLiveriesPerMember,
        Setting::MaxBytesPerMember,
        Setting::MaxBytesPerLivery,
    ];
    let of = |setting| (Just(setting), 0..words(setting).len());
    prop::sample::select(settings.to_vec()).prop_flat_map(of)
}

pub(super) fn words(setting: Setting) -> Vec<&'static str> {
    match setting {
        Setting::ConflictPolicy => Policy::WORDS.map(|(word, _)| word).to_vec(),
        Setting::ConflictScope => Scope::WORDS.map(|(word, _)| word).to_vec(),
        Setting::Approval => vec!["off", "on"],
        Setting::Frozen => {
            vec!["", "", "t", "*", "u\t2026-12-05T20:00:00Z", "*\t2026-12-05T20:00:00Z"]
        }
        Setting::MaxLiveriesPerMember => vec!["none", "none", "1", "2"],
        Setting::MaxBytesPerMember => vec!["none", "none", "2", "4"],
        Setting::MaxBytesPerLivery => vec!["none", "none", "1", "3"],
        _ => Updates::WORDS.map(|(word, _)| word).to_vec(),
    }
}

pub(super) fn any_policy() -> impl Strategy<Value = Policy> {
    prop::sample::select(Policy::WORDS.map(|(_, policy)| policy).to_vec())
}

pub(super) fn any_scope() -> impl Strategy<Value = Scope> {
    prop::sample::select(Scope::WORDS.map(|(_, scope)| scope).to_vec())
}

pub(super) fn any_updates() -> impl Strategy<Value = Updates> {
    prop::sample::select(Updates::WORDS.map(|(_, updates)| updates).to_vec())
}
