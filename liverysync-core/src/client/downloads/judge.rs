//! The decision to take a file that a server offers, and its spelling on this PC.

use crate::{
    client::{ClientConfig, Role, context::Context, folder::Folder},
    hash::Content,
    manifest::Entry,
    path::{InvalidPath, RelPath},
    select::{Reason, cached_picture, is_of_macos},
    text::InvalidText,
    wire::messages::{Fault, FileInfo},
};

/// The reason why a PC that publishes nothing does not take a file of the league back.
const OWN_EDIT: &str =
    "its driver has changed this file; it stays as it is until the league changes it";

/// The reason why a file is not taken.
#[derive(Clone, Debug)]
pub(in crate::client) struct Refusal {
    pub(in crate::client) fault: Fault,
    pub(in crate::client) reason: String,
}

impl Refusal {
    /// Refuses a file for good: the server need not offer it again.
    fn declined(reason: String) -> Self {
        Self { fault: Fault::Declined, reason }
    }

    /// Refuses a file that a setting of this PC keeps out although its driver may want it.
    fn blocked(reason: String) -> Self {
        Self { fault: Fault::Blocked, reason }
    }

    pub(in crate::client) fn failed(reason: &str) -> Self {
        Self { fault: Fault::Failed, reason: reason.to_owned() }
    }
}

/// Returns the file as this PC would install it.
pub(in crate::client) fn judge(
    config: &ClientConfig,
    folder: &Folder,
    info: &FileInfo,
) -> Result<Entry, Refusal> {
    let rules = &config.rules;
    let invalid_path = |invalid: InvalidPath| Refusal::declined(invalid.fault.to_string());
    // Never repaired: two PCs might repair a path in different ways.
    let path = RelPath::parse(&info.rel_path, &rules.extensions).map_err(invalid_path)?;
    let invalid_hash = |invalid: InvalidText| Refusal::declined(invalid.to_string());
    let hash = info.sha256.parse().map_err(invalid_hash)?;
    if info.size > rules.file_bytes_max {
        let reason = format!("larger than {} bytes", rules.file_bytes_max);
        return Err(Refusal::blocked(reason));
    }
    if let Some(picture) = cached_picture(&path, &rules.extensions)
        && !rules.derived_dds
        && folder.is_taken(picture.key())
    {
        // The game would rewrite it from the picture, and this PC would never be in sync.
        return Err(Refusal::declined(format!("the game's own cache of {picture}")));
    }
    if is_of_macos(path.key().as_str()) {
        // An old server has it from a client of its time. This PC would never publish it.
        return Err(Refusal::declined(Reason::MacOs.to_string()));
    }
    let content = Content { hash, size: info.size };
    if config.only == Some(Role::Target)
        && folder.get(path.key()).is_some_and(|own| own.content != content)
        && folder.synced().get(path.key()) == Some(hash)
    {
        // It came from the league, and its driver has changed it. It stays until the league changes it, too.
        return Err(Refusal::declined(OWN_EDIT.to_owned()));
    }
    if let Some(damage) = folder.held_back(path.key())
        && folder.get(path.key()).is_none_or(|file| file.content != content)
    {
        // An editor may still be saving it. Its driver saves it again, or deletes it.
        return Err(Refusal::failed(&format!("the file of this PC is damaged: {damage}")));
    }
    let path = match folder.get(path.key()) {
        Some(file) => file.path.clone(),
        None => respell(config, folder, &path)?,
    };
    Ok(Entry { path, content, mtime: info.modified() })
}

/// Spells a path as the disk does. On a disk that tells upper from lower case, the livery would be split in two
/// folders otherwise.
fn respell(config: &ClientConfig, folder: &Folder, path: &RelPath) -> Result<RelPath, Refusal> {
    let spelling = match folder.spelling(path.key()) {
        Some(there) => there.to_owned(),
        None => folder.files().respell(path),
    };
    let path = RelPath::parse(&spelling, &config.rules.extensions)
        .map_err(|invalid| Refusal::declined(invalid.to_string()))?;
    match collision_at(folder, &path) {
        // The driver may move what is in the way, so this is not for good.
        Some(reason) => Err(Refusal::failed(&reason)),
        None => Ok(path),
    }
}

/// Returns why a path cannot be on this PC beside its own files.
fn collision_at(folder: &Folder, path: &RelPath) -> Option<String> {
    let collision = folder.files().check(path).err()?;
    Some(format!("this PC cannot have it beside its own files: {collision}"))
}

/// Returns the same for a path as the server spells it.
pub(in crate::client) fn collision(cx: &Context, folder: &Folder, path: &str) -> Option<String> {
    let path = RelPath::parse(path, &cx.config.rules.extensions).ok()?;
    match folder.get(path.key()) {
        Some(_) => None,
        None => respell(&cx.config, folder, &path).err().map(|refusal| refusal.reason),
    }
}
