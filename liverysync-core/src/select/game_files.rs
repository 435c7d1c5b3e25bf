//! Files that the game makes: caches of pictures, and placeholders of liveries that it does not have.

use std::collections::BTreeSet;

use crate::path::{Extensions, PathKey, RelPath, first_component};

/// The stems of the game's cache files. The game makes `decals_0.dds` and `decals_1.dds` from `decals.png`.
const CACHE_STEMS: [&str; 4] = ["decals_0", "decals_1", "sponsors_0", "sponsors_1"];

/// The layers of a livery. Each is a picture, with material values in a JSON of the same stem.
const LAYERS: [&str; 2] = ["decals", "sponsors"];

/// Returns true if a file has the name of material values. Without the picture beside it, it is the game's placeholder.
pub(crate) fn is_placeholder(path: &RelPath) -> bool {
    layer_of_material(path).is_some()
}

/// A layer of a livery: the key of its folder, and which layer it is.
type Layer<'a> = (&'a str, usize);

/// Returns the layer whose material values a file has, as its name says.
pub(super) fn layer_of_material(path: &RelPath) -> Option<Layer<'_>> {
    let (livery, name) = path.key().as_str().split_once('/')?;
    Some((livery, material_layer(name)?))
}

/// Returns the layer whose material values a file has, by the key of its path below the livery.
pub(crate) fn material_layer(name: &str) -> Option<usize> {
    let stem = name.strip_suffix(".json")?;
    LAYERS.iter().position(|layer| *layer == stem)
}

/// Returns the layer of a picture. A cache counts: some liveries are shared as caches alone.
pub(super) fn layer_of_picture(path: &RelPath) -> Option<Layer<'_>> {
    let (livery, name) = path.key().as_str().split_once('/')?;
    Some((livery, picture_layer(name)?))
}

/// Returns the layer of a picture, by the key of its path below the livery.
pub(crate) fn picture_layer(name: &str) -> Option<usize> {
    let stem = name.strip_suffix(".png").or_else(|| {
        let cache = name.strip_suffix(".dds")?;
        cache.strip_suffix("_0").or_else(|| cache.strip_suffix("_1"))
    })?;
    LAYERS.iter().position(|layer| *layer == stem)
}

pub(super) fn has_name_of_cache(path: &RelPath) -> bool {
    let named = |stem: &&str| path.stem().eq_ignore_ascii_case(stem);
    path.extension().eq_ignore_ascii_case("dds") && CACHE_STEMS.iter().any(named)
}

/// Returns the picture from which the game would have made `path`, or `None` if `path` has no name of a cache.
#[must_use]
#[doc(hidden)]
pub fn cached_picture(path: &RelPath, extensions: &Extensions) -> Option<RelPath> {
    if !has_name_of_cache(path) {
        return None;
    }
    let stem = path.stem().split_once('_').map_or(path.stem(), |(stem, _)| stem);
    path.with_file_name(&format!("{stem}.png"), extensions).ok()
}

/// Returns the caches that the game may have made from the picture `path`; empty for other files.
#[must_use]
#[doc(hidden)]
pub fn caches_of(path: &RelPath) -> Vec<PathKey> {
    if !path.extension().eq_ignore_ascii_case("png") {
        return Vec::new();
    }
    let stem = path.stem().to_ascii_lowercase();
    let caches = CACHE_STEMS
        .iter()
        .filter(|cache| cache.strip_suffix("_0").or(cache.strip_suffix("_1")) == Some(&stem));
    // The game makes its caches whatever the league shares.
    let any = Extensions::default();
    caches
        .filter_map(|cache| path.with_file_name(&format!("{cache}.dds"), &any).ok())
        .map(|cache| cache.key().clone())
        .collect()
}

/// Decides which files that the game has made become stale when other files arrive: caches of pictures that arrive, and
/// the placeholder of a livery that was not on this PC before.
#[derive(Debug)]
pub(crate) struct StaleFiles<'a> {
    arriving: BTreeSet<&'a str>,
    caches: BTreeSet<PathKey>,
    liveries: BTreeSet<&'a str>,
}

impl<'a> StaleFiles<'a> {
    /// Makes the rule for files that arrive together. `is_livery` says whether a file is part of a livery, so that the
    /// placeholder beside it has done its work.
    pub(crate) fn beside(arriving: &'a [RelPath], is_livery: impl Fn(&RelPath) -> bool) -> Self {
        let of_liveries = arriving.iter().filter(|path| is_livery(path));
        Self {
            arriving: arriving.iter().map(|path| path.key().as_str()).collect(),
            caches: arriving.iter().flat_map(caches_of).collect(),
            liveries: of_liveries.map(|path| path.key().livery()).collect(),
        }
    }

    /// Returns the liveries whose placeholders become stale.
    pub(crate) fn liveries(&self) -> impl Iterator<Item = &'a str> {
        self.liveries.iter().copied()
    }

    /// Returns true if the file with this key becomes stale. `is_placeholder` says that it is part of a placeholder.
    pub(crate) fn is_stale(&self, key: &str, is_placeholder: bool) -> bool {
        let was_placeholder = is_placeholder && self.liveries.contains(first_component(key));
        // A cache that arrives with its picture is up to date.
        (was_placeholder || self.caches.contains(key)) && !self.arriving.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_knows_its_caches() {
        let path = RelPath::parse("T/Decals.PNG", &Extensions::default()).unwrap();
        let keys = caches_of(&path);
        assert_eq!(
            keys.iter().map(PathKey::as_str).collect::<Vec<_>>(),
            ["t/decals_0.dds", "t/decals_1.dds"]
        );
    }
}
