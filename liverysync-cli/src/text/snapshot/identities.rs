//! The texts of `liverysync identity`.

use std::{io, path::Path};

use liverysync::{Identity, MemberKey};

use super::{Texts, denied, error};
use crate::{seal::SealFault, text::identity};

pub(super) fn identity_texts(all: &mut Texts) {
    all.section("identity");
    let key = |digit| MemberKey::from_bytes([digit; 32]);
    let one = Identity::new(key(1));
    let two = Identity::import(Some(Identity::new(key(2))), one.clone(), true).unwrap();
    let file = "/home/aoi/.config/liverysync/identity.json";
    for identity in [None, Some(&one), Some(&two)] {
        all.block(identity::shown(file, identity));
    }
    all.block(identity::exported("aoi.identity", &one));
    for identity in [&one, &two] {
        all.block(identity::imported(identity));
    }
    all.add(identity::passphrase(true));
    all.add(identity::PASSPHRASE_AGAIN);
    all.add(identity::passphrase(false));

    all.section("errors: identity");
    let file = Path::new("aoi.identity");
    all.block(error::no_config_folder());
    let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::InvalidData, io::ErrorKind::Other];
    for fault in [denied()].into_iter().chain(kinds.map(io::Error::from)) {
        all.block(error::identity(file, &fault));
    }
    all.block(error::no_identity(file));
    let other = Identity::import(Some(Identity::new(key(2))), one, false).unwrap_err();
    all.block(error::other_identity(&other));
    all.block(error::file_exists(file));
    all.block(error::cannot_export(file, &denied()));
    all.block(error::cannot_import(file, &denied()));
    for fault in [SealFault::NotSealed, SealFault::Newer, SealFault::Wrong] {
        all.block(error::seal(file, fault));
    }
    all.block(error::no_passphrase(&denied()));
    all.block(error::passphrases_differ());
    all.block(error::short_passphrase(8));
}
