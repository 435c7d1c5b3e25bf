//! The data sets: liveries of the sizes that leagues have, with the same bytes on every machine.
//!
//! They are made once and kept. Nothing writes into them afterwards: a program that needs a folder of its own gets hard
//! links.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};

/// The version of the generator. It changes whenever the same set would get other bytes.
const VERSION: u32 = 1;

/// The modification time of the first file, long ago, in UNIX seconds.
const MODIFIED: u64 = 1_700_000_000;

/// The size of a livery's JSON.
const JSON_BYTES: u64 = 300;

/// The size of a block that is made and written at once: small, because started programs inherit this one's peak memory.
const BLOCK: usize = 64 * 1024;

/// The description of a set.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    liveries: u64,
    pub(crate) bytes: u64,
    /// The smallest size of a picture; each livery has two.
    smallest_picture: u64,
    /// The files of each livery beside its two pictures and their JSON.
    extras: &'static [(&'static str, u64)],
}

pub(crate) const S: Spec = Spec {
    name: "S",
    about: "60 liveries of PNG and JSON",
    liveries: 60,
    bytes: 332_000_000,
    smallest_picture: 1_000_000,
    extras: &[],
};

pub(crate) const M: Spec = Spec {
    name: "M",
    about: "2,000 tiny liveries",
    liveries: 2_000,
    bytes: 61_000_000,
    smallest_picture: 4_000,
    extras: &[],
};

/// DDS files of 4096 and 2048 pixels. They are not the game's cache, because no PNG of the same stem is beside them.
pub(crate) const L: Spec = Spec {
    name: "L",
    about: "15 liveries whose own DDS travel",
    liveries: 15,
    bytes: 920_000_000,
    smallest_picture: 1_000_000,
    extras: &[
        ("paint_0.dds", 22_369_776),
        ("paint_1.dds", 22_369_776),
        ("extra_0.dds", 5_592_560),
        ("extra_1.dds", 5_592_560),
    ],
};

/// The liveries of one driver, for the slow uplink.
pub(crate) const UPLINK: Spec = Spec {
    name: "uplink",
    about: "5 liveries of one driver",
    liveries: 5,
    bytes: 25_600_000,
    smallest_picture: 1_000_000,
    extras: &[],
};

/// The livery that is dropped into a folder while all are in sync.
pub(crate) const DROPPED: Spec = Spec {
    name: "dropped",
    about: "one new livery",
    liveries: 1,
    bytes: 6_000_000,
    smallest_picture: 1_000_000,
    extras: &[],
};

const TEAMS: &[&str] =
    &["TeamIris_992", "GT3_Lamborghini_PumpnPak", "Super Taikyu TKRI Marin AMG GT3", "Garage Süd"];

impl Spec {
    /// Returns all files with their sizes, in the order in which they are made.
    pub(crate) fn files(&self) -> Vec<(String, u64)> {
        let pictures = self.liveries * 2;
        let fixed: u64 = self.extras.iter().map(|(_, bytes)| bytes).sum();
        let rest = self.bytes - self.liveries * (2 * JSON_BYTES + fixed);
        let mut sizes = spread(rest, pictures, self.smallest_picture).into_iter();
        let mut files = Vec::new();
        for livery in 0..self.liveries {
            let folder = self.folder(livery);
            for layer in ["decals", "sponsors"] {
                files.push((format!("{folder}/{layer}.json"), JSON_BYTES));
                files.push((format!("{folder}/{layer}.png"), sizes.next().unwrap_or_default()));
            }
            for (name, bytes) in self.extras {
                files.push((format!("{folder}/{name}"), *bytes));
            }
        }
        files
    }

    fn folder(&self, livery: u64) -> String {
        let team = TEAMS[(livery % TEAMS.len() as u64) as usize];
        // The set that the livery is dropped into must not have its folder.
        if self.name == DROPPED.name { format!("new {team}") } else { format!("#{livery}_{team}") }
    }

    /// Writes the files below `root`.
    pub(crate) fn write(&self, root: &Path) -> Result<()> {
        for (number, (name, bytes)) in (0_u64..).zip(self.files()) {
            let path = root.join(&name);
            fs::create_dir_all(path.parent().context("a file has a parent folder")?)?;
            let mut random = Random::for_file(self.name, number);
            let mut file = File::create(&path)?;
            if name.ends_with(".json") {
                file.write_all(&json(bytes, &mut random))?;
            } else {
                write_noise(&mut file, bytes, &mut random)?;
            }
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED + number))?;
        }
        Ok(())
    }

    fn stamp(&self) -> String {
        format!("{VERSION} {self:?}\n")
    }
}

/// A set on the disk.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) spec: &'static Spec,
    pub(crate) folder: PathBuf,
}

impl Set {
    /// Returns the set in the folder `data`, and makes it if it is not there.
    pub(crate) fn prepare(spec: &'static Spec, data: &Path) -> Result<Self> {
        let set = Self { spec, folder: data.join(spec.name) };
        let stamp = data.join(format!("{}.stamp", spec.name));
        let made = fs::read_to_string(&stamp).is_ok_and(|found| found == spec.stamp());
        if !(made && set.check(&set.folder).is_ok()) {
            println!("making the data set {}: {}", spec.name, spec.about);
            if set.folder.exists() {
                fs::remove_dir_all(&set.folder)?;
            }
            spec.write(&set.folder)?;
            set.check(&set.folder)?;
            fs::write(&stamp, spec.stamp())?;
        }
        Ok(set)
    }

    /// Reads all files, or the first program would read them from the disk and the others from memory.
    pub(crate) fn warm(&self) -> Result<()> {
        for name in listing(&self.folder)?.keys() {
            io::copy(&mut File::open(self.folder.join(name))?, &mut io::sink())?;
        }
        Ok(())
    }

    /// Makes a folder of hard links to the files.
    pub(crate) fn link_to(&self, folder: &Path) -> Result<()> {
        for name in listing(&self.folder)?.keys() {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().context("a file has a parent folder")?)?;
            fs::hard_link(self.folder.join(name), path)?;
        }
        Ok(())
    }

    /// Checks that `folder` has the files of this set, by name and size.
    pub(crate) fn check(&self, folder: &Path) -> Result<()> {
        let found = listing(folder)?;
        let wanted: BTreeMap<_, _> = self.spec.files().into_iter().collect();
        for (name, bytes) in &wanted {
            let there = found.get(name).with_context(|| format!("{name} is missing"))?;
            ensure!(there == bytes, "{name} has {there} bytes instead of {bytes}");
        }
        ensure!(found.len() == wanted.len(), "{} files too many", found.len() - wanted.len());
        Ok(())
    }

    /// Checks that `folder` has the files of this set, byte for byte.
    pub(crate) fn check_bytes(&self, folder: &Path) -> Result<()> {
        self.check(folder)?;
        for name in listing(&self.folder)?.keys() {
            if !same_bytes(&self.folder.join(name), &folder.join(name))? {
                bail!("{name} differs from the file of the source");
            }
        }
        Ok(())
    }
}

/// Splits `total` into `count` sizes of at least `least`: many small ones, and a few of several times their size.
fn spread(total: u64, count: u64, least: u64) -> Vec<u64> {
    let mut random = Random::for_file("sizes", count);
    let weights: Vec<u64> = (0..count)
        .map(|_| {
            let part = random.next() >> 44; // 20 bits: the square and the sum stay within 64
            (part * part) >> 20
        })
        .collect();
    let sum = weights.iter().sum::<u64>().max(1);
    let above = total - count * least;
    let mut sizes: Vec<u64> = weights
        .iter()
        .map(|weight| least + (u128::from(above) * u128::from(*weight) / u128::from(sum)) as u64)
        .collect();
    let given: u64 = sizes.iter().sum();
    if let Some(last) = sizes.last_mut() {
        *last += total - given;
    }
    sizes
}

/// Returns a JSON of `bytes` bytes, as the game writes it. No two are the same.
fn json(bytes: u64, random: &mut Random) -> Vec<u8> {
    let mut part = || random.next() % 1_000_000;
    let mut text = format!(
        "{{\n  \"baseRoughness\": 0.{:06},\n  \"clearCoat\": 0.{:06},\n  \
         \"clearCoatRoughness\": 0.{:06},\n  \"metallic\": 0.{:06}",
        part(),
        part(),
        part(),
        part()
    );
    let end = "\n}\n";
    while text.len() + end.len() < bytes as usize {
        text.push(' ');
    }
    text.push_str(end);
    text.into_bytes()
}

fn write_noise(file: &mut File, bytes: u64, random: &mut Random) -> Result<()> {
    let mut block = [0; BLOCK];
    let mut left = bytes as usize;
    while left > 0 {
        let now = left.min(BLOCK);
        for word in block.as_chunks_mut::<8>().0 {
            *word = random.next().to_le_bytes();
        }
        file.write_all(&block[..now])?;
        left -= now;
    }
    Ok(())
}

/// SplitMix64. Its numbers are specified, so a set always has the same bytes.
struct Random(u64);

impl Random {
    fn for_file(set: &str, number: u64) -> Self {
        let seed =
            set.bytes().fold(number + 1, |seed, byte| seed * 257 % 1_000_003 + u64::from(byte));
        let mut random = Self((seed << 20) ^ number);
        random.0 = random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

/// Returns the files below `root` with their sizes. It leaves out names at the root that begin with a dot: they belong to
/// the programs.
pub(crate) fn listing(root: &Path) -> Result<BTreeMap<String, u64>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            if folder == root && entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root)?.to_str().context("a name is not Unicode")?;
                files.insert(name.to_owned(), entry.metadata()?.len());
            }
        }
    }
    Ok(files)
}

fn same_bytes(one: &Path, other: &Path) -> Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut a, mut b) = ([0; BLOCK], [0; BLOCK]);
    loop {
        let read = one.read(&mut a)?;
        if read == 0 {
            return Ok(other.read(&mut b)? == 0);
        }
        if other.read_exact(&mut b[..read]).is_err() || a[..read] != b[..read] {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_has_the_files_and_bytes_of_its_name() {
        for (spec, files) in [(&S, 240), (&M, 8_000), (&L, 120), (&UPLINK, 20), (&DROPPED, 4)] {
            let list = spec.files();
            assert_eq!(list.len(), files, "{}", spec.name);
            assert_eq!(list.iter().map(|(_, bytes)| bytes).sum::<u64>(), spec.bytes);
            let names: BTreeMap<_, _> = list.iter().cloned().collect();
            assert_eq!(names.len(), files, "a name comes twice in {}", spec.name);
        }
    }

    #[test]
    fn pictures_of_s_have_plausible_sizes() {
        for (name, bytes) in S.files().iter().filter(|(name, _)| name.ends_with(".png")) {
            assert!((1_000_000..=8_000_000).contains(bytes), "{name}: {bytes}");
        }
    }

    #[test]
    fn dds_that_travel_have_no_picture_beside_them() {
        for (name, _) in L.files().iter().filter(|(name, _)| name.ends_with(".dds")) {
            assert!(!name.contains("decals_") && !name.contains("sponsors_"), "{name}");
        }
    }

    #[test]
    fn a_json_has_its_size_and_no_two_are_alike() {
        let one = json(300, &mut Random::for_file("S", 1));
        let other = json(300, &mut Random::for_file("S", 3));
        assert_eq!((one.len(), other.len()), (300, 300));
        assert_ne!(one, other);
        serde_json::from_slice::<serde_json::Value>(&one).unwrap();
    }

    #[test]
    fn a_set_is_made_once_linked_and_compared() {
        let room = tempfile::tempdir().unwrap();
        let data = room.path().join("data");
        let set = Set::prepare(&DROPPED, &data).unwrap();
        let linked = room.path().join("linked");
        set.link_to(&linked).unwrap();
        set.check_bytes(&linked).unwrap();

        let (name, bytes) = DROPPED.files().pop().unwrap();
        fs::remove_file(linked.join(&name)).unwrap();
        assert!(set.check(&linked).unwrap_err().to_string().contains("missing"));
        fs::write(linked.join(&name), vec![0; bytes as usize]).unwrap();
        set.check(&linked).unwrap();
        assert!(set.check_bytes(&linked).is_err());

        let made = fs::metadata(data.join("dropped").join(&name)).unwrap().created().ok();
        Set::prepare(&DROPPED, &data).unwrap();
        let again = fs::metadata(data.join("dropped").join(&name)).unwrap().created().ok();
        assert_eq!(made, again);
    }
}
