//! The conflict names of a livery that is kept whole.

use super::{
    naming::{Naming, shorten},
    recognize::plain_stem,
};
use crate::{
    hash::{Content, ContentHash},
    manifest::{Entry, Manifest},
    path::{COMPONENT_BYTES_MAX, Extensions, InvalidPath, PathKey, RelPath, fold},
};

/// Names the files of a livery that gets a conflict name as a whole, in the same order.
///
/// The folder is named as the league spells the livery, with the digits of the livery's [hash](livery_hash). It gets
/// another number while `is_taken` says of any of its files that the name has another content.
///
/// # Errors
///
/// Fails if a name would break the path rule, whatever the folder's number is: a file far down has no room for it.
pub(crate) fn conflict_livery(
    spelled: &str,
    files: &[(&RelPath, Content)],
    naming: &Naming,
    is_taken: impl Fn(&RelPath, Content) -> bool,
) -> Result<Vec<RelPath>, InvalidPath> {
    let livery = fold(spelled);
    let name_in = |folder: &str, path: &RelPath| {
        let below = &path.as_str()[path.livery().len()..];
        RelPath::parse(&format!("{folder}{below}"), &naming.extensions)
    };
    let contents = files.iter().map(|(path, content)| (path.key(), *content));
    let hash = livery_hash(&livery, contents, &naming.extensions);
    let folder = conflict_folder(spelled, hash, naming, |folder| {
        let has_another = |(path, content): &(&RelPath, Content)| {
            // A name that breaks the path rule is no reason for another number: it would break the rule as well.
            name_in(folder, path).is_ok_and(|name| is_taken(&name, *content))
        };
        // A livery that has a conflict name already must not come out under its own name.
        fold(folder) == livery || files.iter().any(has_another)
    });
    files.iter().map(|(path, _)| name_in(&folder, path)).collect()
}

/// Returns the conflict folder of a livery: `<livery>__CONFLICT__<first 8 hex digits>`, with `_1`, `_2`... after the digits
/// while `taken` says that the folder has other contents. `hash` is that of the livery's manifest.
///
/// As with files, an old suffix is replaced, and a name that would be too long is cut.
fn conflict_folder(
    livery: &str,
    hash: ContentHash,
    naming: &Naming,
    mut taken: impl FnMut(&str) -> bool,
) -> String {
    let plain = plain_stem(livery, naming);
    let mut number = 0_u32;
    loop {
        let counter = if number == 0 { String::new() } else { format!("_{number}") };
        let tail = format!("{}{}{counter}", naming.suffix, hash.short());
        let name =
            format!("{}{tail}", shorten(plain, COMPONENT_BYTES_MAX.saturating_sub(tail.len())));
        if !taken(&name) {
            return name;
        }
        number += 1;
    }
}

/// Returns the hash of a livery's manifest with paths relative to its folder, so that it does not depend on the livery's
/// name. `livery` is the key of the folder.
pub(crate) fn livery_hash<'a>(
    livery: &str,
    files: impl IntoIterator<Item = (&'a PathKey, Content)>,
    extensions: &Extensions,
) -> ContentHash {
    let mut manifest = Manifest::new();
    for (key, content) in files {
        let rest = key.as_str().get(livery.len() + 1..).unwrap_or_default();
        if let Ok(path) = RelPath::parse(rest, extensions) {
            // Files of one folder cannot collide.
            let _fits = manifest.insert(Entry { path, content, mtime: None });
        }
    }
    manifest.hash()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn path(text: &str) -> RelPath {
        RelPath::parse(text, &Extensions::default()).unwrap()
    }

    #[test]
    fn a_livery_in_conflict_has_a_folder() {
        let folder = |livery: &str, taken: &[&str]| {
            let taken = |name: &str| taken.contains(&name);
            conflict_folder(livery, HASH.parse().unwrap(), &Naming::default(), taken)
        };
        assert_eq!(folder("Team A", &[]), "Team A__CONFLICT__ba7816bf");
        assert_eq!(folder("T__CONFLICT__00000000", &[]), "T__CONFLICT__ba7816bf");
        assert_eq!(folder("T", &["T__CONFLICT__ba7816bf"]), "T__CONFLICT__ba7816bf_1");
        let long = folder(&"é".repeat(120), &[]);
        assert!(long.ends_with("é__CONFLICT__ba7816bf") && long.len() <= 255);
    }

    #[test]
    fn a_whole_livery_gets_another_number_where_a_name_has_another_content() {
        let (a, b) = (path("T/a.png"), path("T/sub/b.png"));
        let files = [(&a, Content::of(b"a")), (&b, Content::of(b"b"))];
        let names = |taken: &[&str]| {
            let is_taken = |name: &RelPath, _| taken.contains(&name.as_str());
            let names = conflict_livery("t", &files, &Naming::default(), is_taken).unwrap();
            names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
        };
        let free = names(&[]);
        let (folder, _) = free[0].split_once('/').unwrap();
        assert_eq!(plain_stem(folder, &Naming::default()), "t");
        assert_eq!(free[1], format!("{folder}/sub/b.png"));
        let numbered = names(&[&free[1]]);
        assert_eq!(numbered, [format!("{folder}_1/a.png"), format!("{folder}_1/sub/b.png")]);
    }
}
