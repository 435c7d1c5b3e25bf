//! Conflicts: which content keeps a name, and the conflict names of the others.
//!
//! Every function here depends on its arguments alone, so replaying the same steps gives the same names.

mod naming;
mod policy;
mod recognize;
mod whole_livery;

pub(crate) use self::{
    naming::invalid_suffix,
    whole_livery::{conflict_livery, livery_hash},
};
pub use self::{
    naming::{Naming, Scope},
    policy::{Claim, Policy},
    recognize::{
        in_claimed_livery, is_conflict_name, parse_conflict_name, plain_livery, plain_stem,
    },
};
