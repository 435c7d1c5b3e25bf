//! `liverysync identity`: who the driver at this PC is.

use liverysync::{Identity, escape};

use super::words::{block, count};

/// Shows the member that the driver is.
pub(crate) fn shown(file: &str, identity: Option<&Identity>) -> String {
    let Some(identity) = identity else {
        return block(&[
            format!("You have no identity yet: {} does not exist.", escape(file)),
            "The client makes one when it starts for the first time.".to_owned(),
            "hint: to be the same member as on another PC: liverysync identity import FILE"
                .to_owned(),
        ]);
    };
    let mut lines =
        vec![format!("member  {}", identity.member()), format!("file    {}", escape(file))];
    let former: Vec<_> = identity.former_members().map(|member| member.to_string()).collect();
    if !former.is_empty() {
        lines.push(format!("before  {}", former.join(", ")));
    }
    block(&lines)
}

/// Reports where the identity was written to.
pub(crate) fn exported(file: &str, identity: &Identity) -> String {
    let file = escape(file);
    block(&[
        format!("Exported the identity of member {} to {file}.", identity.member()),
        "Whoever has this file and the passphrase can be you in every league.".to_owned(),
        format!("hint: on the other PC: liverysync identity import {file}"),
    ])
}

/// Reports the member that the driver is now.
pub(crate) fn imported(identity: &Identity) -> String {
    let former = identity.former_members().count() as u64;
    let mut lines = vec![format!("You are member {} now.", identity.member())];
    if former > 0 {
        let keys = count(former, "former key");
        lines.push(format!("Kept {keys}. Leagues merge each former member into this one."));
    }
    lines.push("hint: restart the client if it is running".to_owned());
    block(&lines)
}

/// Asks for the passphrase.
pub(crate) const fn passphrase(is_new: bool) -> &'static str {
    if is_new { "New passphrase: " } else { "Passphrase: " }
}

/// Asks for a new passphrase once more.
pub(crate) const PASSPHRASE_AGAIN: &str = "Repeat the passphrase: ";
