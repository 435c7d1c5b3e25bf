//! The kinds of problems, in the words of a driver: what is wrong, and what to do about it.

use std::fmt;

use crate::{
    inspect::Damage,
    text::{escape, escape_limited},
};

/// Something that is probably wrong. Names in it are those on the disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Problem {
    /// A folder `Liveries` inside `Liveries`.
    NestedLiveries,
    /// The game's folder `Customs` inside `Liveries`.
    NestedCustoms,
    /// A folder with car files.
    Cars { folder: String, files: usize },
    /// A livery whose pictures are in folders inside it.
    NestedFolder,
    /// A livery with none of the game's pictures.
    NoPicture,
    /// A picture outside any livery.
    LoosePicture,
    /// Files that macOS added.
    MacOs { files: usize },
    /// A livery with the files of another one.
    CopyOfLivery { original: String },
    /// A livery with the files of another one, and its name in broken letters.
    GarbledName { right: String },
    /// Two folders whose names differ only in spelling.
    TwoSpellings { one: String, other: String },
    /// A name that Windows gives a new folder.
    NewFolder,
    /// A name that the league does not allow.
    NameNotAllowed { allowed: Vec<String> },
    /// A livery that is larger than the league allows.
    LiveryTooLarge { size: u64, most: u64 },
    /// A file with the bytes of the file beside it.
    CopyOfFile { original: String },
    /// A copy that OneDrive made of the file beside it.
    OneDriveCopy { original: String, pc: String },
    /// A file that is recognizably broken.
    Damaged(Damage),
    /// A picture with too many pixels.
    PictureTooLarge { pixels: (u32, u32), most: u32 },
    /// A picture of the game with sides that it cannot have.
    PictureSize { pixels: (u32, u32), sides: Vec<u32> },
    /// A path that is too long for Windows.
    LongPath { units: usize, most: usize },
    /// A file that is larger than the league allows.
    FileTooLarge { size: u64, most: u64 },
    /// A file that the league does not allow.
    FileNotAllowed { allowed: Vec<String> },
}

impl Problem {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::NestedLiveries | Self::NestedCustoms => "nested-liveries",
            Self::Cars { .. } => "cars-folder",
            Self::NestedFolder => "nested-folder",
            Self::NoPicture => "no-picture",
            Self::LoosePicture => "loose-picture",
            Self::MacOs { .. } => "macos",
            Self::CopyOfLivery { .. } | Self::CopyOfFile { .. } => "copy",
            Self::GarbledName { .. } => "garbled-name",
            Self::TwoSpellings { .. } => "two-spellings",
            Self::NewFolder => "new-folder",
            Self::NameNotAllowed { .. } => "name-not-allowed",
            Self::LiveryTooLarge { .. } => "livery-too-large",
            Self::OneDriveCopy { .. } => "onedrive-copy",
            Self::Damaged(_) => "damaged",
            Self::PictureTooLarge { .. } => "picture-too-large",
            Self::PictureSize { .. } => "picture-size",
            Self::LongPath { .. } => "long-path",
            Self::FileTooLarge { .. } => "file-too-large",
            Self::FileNotAllowed { .. } => "file-not-allowed",
        }
    }

    /// Returns what to do about it, as an order.
    pub(super) fn fix(&self) -> String {
        match self {
            Self::NestedLiveries => "move the folders in it up, directly below Liveries".to_owned(),
            Self::NestedCustoms => {
                "move the folders in its Liveries up, directly below Liveries, and the files in its Cars to Customs/Cars"
                    .to_owned()
            }
            Self::Cars { .. } => "move them to Customs/Cars, and delete the folder here".to_owned(),
            Self::NestedFolder => {
                "move the folder of each livery up, directly below Liveries".to_owned()
            }
            Self::NoPicture => {
                "add its decals.png or sponsors.png, or move the folder out of Liveries".to_owned()
            }
            Self::LoosePicture => {
                "move it into the folder of its livery, or out of Liveries".to_owned()
            }
            Self::MacOs { .. } => {
                "delete the folders __MACOSX and the files whose names begin with ._".to_owned()
            }
            Self::CopyOfLivery { .. } | Self::CopyOfFile { .. } => "delete the copy".to_owned(),
            Self::GarbledName { .. } => "delete the folder with the garbled name".to_owned(),
            Self::TwoSpellings { .. } => "move the files into one of the folders".to_owned(),
            Self::NewFolder => {
                "give it the name that the car file has as customSkinName".to_owned()
            }
            Self::NameNotAllowed { .. } => {
                "rename the folder, and change customSkinName in the car file".to_owned()
            }
            Self::LiveryTooLarge { .. } => {
                "delete what the game does not need, or save the pictures with fewer pixels"
                    .to_owned()
            }
            Self::OneDriveCopy { original, .. } => {
                format!("keep the right one as {}, and delete the other", escape(original))
            }
            Self::Damaged(_) => "save or export it again".to_owned(),
            Self::PictureTooLarge { most, .. } => format!("scale it down to at most {most} x {most}"),
            Self::PictureSize { sides, .. } => match sides.iter().max() {
                Some(side) => format!("export it again at {side} x {side}"),
                None => "remove it".to_owned(),
            },
            Self::LongPath { units, most } => {
                let surplus = units.saturating_sub(*most);
                format!("shorten the names in its path by {surplus} characters or more")
            }
            Self::FileTooLarge { .. } => "save it smaller, or delete it".to_owned(),
            Self::FileNotAllowed { .. } => "move it out of Liveries, or delete it".to_owned(),
        }
    }
}

/// Displays what is wrong, as a fragment of a sentence.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NestedLiveries => {
                f.write_str("a Liveries folder inside Liveries; the game does not look into it")
            }
            Self::NestedCustoms => {
                f.write_str("a Customs folder inside Liveries; the game does not look into it")
            }
            Self::Cars { folder, files } => {
                let files = count(*files, "car file");
                write!(f, "{files} in {}; the game reads them in Customs/Cars only", escape(folder))
            }
            Self::NestedFolder => {
                f.write_str("its pictures are in folders inside it; the game does not look there")
            }
            Self::NoPicture => {
                f.write_str("no decals.png and no sponsors.png; the game shows nothing")
            }
            Self::LoosePicture => {
                f.write_str("a picture outside any livery; the game does not find it")
            }
            Self::MacOs { files } => write!(f, "{} that macOS added", count(*files, "file")),
            Self::CopyOfLivery { original } => {
                write!(f, "a copy of {} with the same files", escape(original))
            }
            Self::CopyOfFile { original } => {
                write!(f, "a copy of {} with the same bytes", escape(original))
            }
            Self::GarbledName { right } => {
                write!(f, "the same files as {} under a garbled name", escape(right))
            }
            Self::TwoSpellings { one, other } => {
                let (one, other) = (escape(one), escape(other));
                write!(f, "{one} and {other} are one folder for Windows and the league")
            }
            Self::NewFolder => f.write_str("the name that Windows gives a new folder"),
            Self::NameNotAllowed { allowed } => {
                write!(f, "the league wants names like {}", list(allowed, " or "))
            }
            Self::LiveryTooLarge { size, most } => {
                write!(f, "{}; the league allows {} a livery", bytes(*size), bytes(*most))
            }
            Self::OneDriveCopy { original, pc } => {
                let (original, pc) = (escape(original), escape(pc));
                write!(f, "probably OneDrive's copy of {original} from the PC {pc}")
            }
            Self::Damaged(damage) => write!(f, "{damage}"),
            Self::PictureTooLarge { pixels: (width, height), most } => {
                write!(f, "{width} x {height} pixels, more than {most} a side")
            }
            Self::PictureSize { pixels: (width, height), sides } => {
                let sides: Vec<_> = sides.iter().map(|side| format!("{side} x {side}")).collect();
                write!(f, "{width} x {height} pixels, not {}", sides.join(" or "))
            }
            Self::LongPath { units, most } => {
                write!(
                    f,
                    "its path may have {units} characters on another PC; Windows needs {most} or fewer"
                )
            }
            Self::FileTooLarge { size, most } => {
                write!(f, "{}; the league allows {} a file", bytes(*size), bytes(*most))
            }
            Self::FileNotAllowed { allowed } => {
                write!(f, "the league allows only {}", list(allowed, ", "))
            }
        }
    }
}

/// Longest list of what a league allows, in characters: it may be the server's.
const ALLOWED_CHARS_MAX: usize = 200;

fn list(allowed: &[String], between: &str) -> String {
    escape_limited(&allowed.join(between), ALLOWED_CHARS_MAX).into_owned()
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Writes a number of bytes. Both sides of a limit are shown, so it is never rounded to the other side of one.
fn bytes(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    format!("{} bytes", groups.join(","))
}
