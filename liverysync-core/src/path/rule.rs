//! The checks of the path rule.
//!
//! Source of the rules for Windows: <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>.

use std::iter;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::{Extensions, first_of, fold, last_component, split_extension};
use crate::{
    own_folders::is_own_key,
    text::{escape, escape_limited},
};

/// Error for a path that the rule refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is refused: {fault}", escape_limited(.path, 300))]
#[non_exhaustive]
pub struct InvalidPath {
    /// The path as it was given. [`escape`] it before showing it.
    pub path: String,
    /// The reason.
    pub fault: PathFault,
}

/// The reason why a path is refused. Displays as a fragment of a sentence, with foreign text escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PathFault {
    /// A control that changes the reading direction, so that the name looks like another one.
    #[error("it holds U+{:04X}, which turns the reading direction", u32::from(*.0))]
    BidiControl(char),
    /// A replacement character, which a broken conversion leaves, or a code point that is no character.
    #[error("it holds U+{:04X}, which a broken conversion left", u32::from(*.0))]
    BrokenCharacter(char),
    /// A component of more than 255 bytes.
    #[error("a component has {0} bytes, more than {COMPONENT_BYTES_MAX}")]
    ComponentTooLong(usize),
    /// A control character.
    #[error("it holds the control character U+{:04X}", u32::from(*.0))]
    ControlCharacter(char),
    /// A component that Windows takes for a device, with any extension.
    #[error("`{}` is a device name on Windows", escape(.0))]
    DeviceName(String),
    /// A component `.` or `..`.
    #[error("a component is `.` or `..`")]
    DotComponent,
    /// A component of characters that look like dots.
    #[error("a component is made only of dots")]
    DotLookalike,
    /// An empty path.
    #[error("it is empty")]
    Empty,
    /// Two separators in a row.
    #[error("a component is empty")]
    EmptyComponent,
    /// An extension that is not on the list; empty if the file name has no dot.
    #[error("{}", extension_fault(.0))]
    Extension(String),
    /// An invisible character.
    #[error("it holds the invisible character U+{:04X}", u32::from(*.0))]
    InvisibleCharacter(char),
    /// A separator at the start, which would make the path absolute.
    #[error("it begins with a slash")]
    LeadingSlash,
    /// A private-use character that other file systems use in place of one that Windows forbids.
    #[error("it holds U+{:04X}, which stands for a character that Windows forbids", u32::from(*.0))]
    PrivateUse(char),
    /// A character that Windows forbids in names.
    #[error("it holds `{0}`, which no name may hold on Windows")]
    ReservedCharacter(char),
    /// A component with the name of one of liverysync's own folders.
    #[error("`{}` is a folder of liverysync's own", escape(.0))]
    ReservedName(String),
    /// A character that looks like a separator.
    #[error("it holds U+{:04X}, which looks like a separator", u32::from(*.0))]
    SeparatorLookalike(char),
    /// A component that may be the 8.3 alias of another file.
    #[error("`{}` may be the short name of another file on Windows", escape(.0))]
    ShortName(String),
    /// A path of more than 1,024 bytes.
    #[error("it has {0} bytes, more than {PATH_BYTES_MAX}")]
    TooLong(usize),
    /// A path of more than 16 components.
    #[error("it has {0} components, more than {COMPONENTS_MAX}")]
    TooManyComponents(usize),
    /// A component that ends in a dot, which Windows drops.
    #[error("a component ends in a dot")]
    TrailingDot,
    /// A separator at the end, where a file name should be.
    #[error("it ends in a slash")]
    TrailingSlash,
    /// A component that ends in a space, which Windows drops.
    #[error("a component ends in a space")]
    TrailingSpace,
}

fn extension_fault(extension: &str) -> String {
    if extension.is_empty() {
        "it has no extension".to_owned()
    } else {
        format!("`{}` is not on the list of extensions", escape(extension))
    }
}

/// Checks `text` against the whole rule and returns its key.
pub(super) fn check(text: &str, extensions: &Extensions) -> Result<String, PathFault> {
    if text.is_empty() {
        return Err(PathFault::Empty);
    }
    // Checked first: all that follows takes time in proportion to the length.
    if text.len() > PATH_BYTES_MAX {
        return Err(PathFault::TooLong(text.len()));
    }
    if text.starts_with('/') {
        return Err(PathFault::LeadingSlash);
    }
    if text.ends_with('/') {
        return Err(PathFault::TrailingSlash);
    }
    let components = text.split('/').count();
    if components > COMPONENTS_MAX {
        return Err(PathFault::TooManyComponents(components));
    }
    let key = fold(text);
    for (component, folded) in text.split('/').zip(key.split('/')) {
        check_spelling(component)?;
        check_name(component, folded)?;
    }
    let (_, extension) = split_extension(last_component(text));
    if !extensions.contains(extension) {
        return Err(PathFault::Extension(extension.to_owned()));
    }
    Ok(key)
}

/// Refuses a component for its characters or its length.
fn check_spelling(component: &str) -> Result<(), PathFault> {
    if component.is_empty() {
        return Err(PathFault::EmptyComponent);
    }
    if component == "." || component == ".." {
        return Err(PathFault::DotComponent);
    }
    // Linux counts bytes and Windows UTF-16 units. A text never has more units than bytes.
    if component.len() > COMPONENT_BYTES_MAX {
        return Err(PathFault::ComponentTooLong(component.len()));
    }
    component.chars().try_for_each(check_char)?;
    if component.ends_with('.') {
        return Err(PathFault::TrailingDot);
    }
    if component.ends_with(' ') {
        return Err(PathFault::TrailingSpace);
    }
    // In ASCII only the dot itself looks like one, and a dot at the end is refused above.
    let may_look_like_dots = !component.is_ascii();
    if may_look_like_dots && component.chars().all(|c| iter::once(c).nfkc().all(|c| c == '.')) {
        return Err(PathFault::DotLookalike);
    }
    Ok(())
}

fn check_char(c: char) -> Result<(), PathFault> {
    Err(match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' | '\\' => PathFault::ReservedCharacter(c),
        _ if c.is_control() => PathFault::ControlCharacter(c),
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            PathFault::BidiControl(c)
        }
        '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{feff}' => {
            PathFault::InvisibleCharacter(c)
        }
        '\u{2044}' | '\u{2215}' | '\u{2216}' | '\u{ff0f}' | '\u{ff3c}' => {
            PathFault::SeparatorLookalike(c)
        }
        '\u{f000}'..='\u{f0ff}' => PathFault::PrivateUse(c),
        '\u{fffd}'..='\u{ffff}' => PathFault::BrokenCharacter(c),
        _ => return Ok(()),
    })
}

/// Refuses a component that does not mean a file of that name, in any case and normalization.
fn check_name(component: &str, folded: &str) -> Result<(), PathFault> {
    if is_own_key(folded) {
        return Err(PathFault::ReservedName(component.to_owned()));
    }
    if is_device_name(folded) {
        return Err(PathFault::DeviceName(component.to_owned()));
    }
    if may_be_short_name(folded) {
        return Err(PathFault::ShortName(component.to_owned()));
    }
    Ok(())
}

/// Returns true if Windows takes a component for a device, judging by the text before the first dot without trailing spaces.
/// Windows 11 is less strict than earlier versions, but a league has both.
fn is_device_name(folded: &str) -> bool {
    let base = first_of(folded, '.').trim_end_matches(' ');
    match base.strip_suffix(|c| matches!(c, '1'..='9' | '¹' | '²' | '³')) {
        Some(port) => matches!(port, "com" | "lpt"),
        None => matches!(base, "con" | "prn" | "aux" | "nul" | "conin$" | "conout$"),
    }
}

/// Returns true if a component has the form of the aliases that Windows gives to long names: a base, `~` and a number in at
/// most 8 characters, then an extension of at most 3 characters or none. Opening such a name opens the file that has the
/// alias, whatever that file's name is.
///
/// Only possible aliases are refused. The number never begins with 0. The base is never empty (a name of fewer than three
/// usable characters gets four hex digits), so `~1.png` is no alias; it may contain a `~` of its own. Neither base nor
/// extension contains a space, a second dot or one of `+ , ; = [ ]`. The extension of `LIVERY~1.JSON` is too long. Letters
/// beyond ASCII occur if a PC allows them (`fsutil behavior set allowextchar 1`), but only those of a DOS code page, so no
/// emoji.
///
/// Source: [MS-FSCC] section 2.1.5.2.1, and the behaviour of `RtlGenerate8dot3Name`.
///
/// [MS-FSCC]: https://learn.microsoft.com/openspecs/windows_protocols/ms-fscc/18e63b13-ba43-4f5f-a5b7-11e871b71f14
fn may_be_short_name(folded: &str) -> bool {
    let (stem, extension) = split_extension(folded);
    let Some((base, number)) = stem.rsplit_once('~') else {
        return false;
    };
    let usable = |c| !(" .+,;=[]".contains(c) || c > '\u{ffff}');
    !base.is_empty()
        && stem.chars().count() <= 8
        && extension.chars().count() <= 3
        && number.starts_with(|c| matches!(c, '1'..='9'))
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && base.chars().chain(extension.chars()).all(usable)
}

/// Longest component, in bytes: the limit of ext4 and NTFS.
pub(crate) const COMPONENT_BYTES_MAX: usize = 255;
/// Largest number of components. No livery comes near it, and every system accepts it below a root.
const COMPONENTS_MAX: usize = 16;
/// Longest path, in bytes. It bounds the cost of a manifest of hostile paths.
pub(crate) const PATH_BYTES_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::RelPath;

    fn parse(text: &str) -> Result<RelPath, InvalidPath> {
        RelPath::parse(text, &Extensions::default())
    }

    /// Checks a path. `None` means that it is accepted.
    #[track_caller]
    fn check(input: &str, expected: impl Into<Option<PathFault>>) {
        let fault = parse(input).err().map(|invalid| invalid.fault);
        assert_eq!(fault, expected.into(), "{input:?}");
    }

    /// Splits a list of names at `|`, which no name may contain.
    fn names(list: &str) -> impl Iterator<Item = &str> {
        list.split('|')
    }

    #[test]
    fn names_of_real_liveries_travel() {
        for input in [
            "decals.png",
            "#2_TeamIris_992/decals.json",
            "904_GT3_Lamborghini_PumpnPak/sponsors.png",
            "Super Taikyu TKRI Marin Kitagawa AMG GT3/decals_0.dds",
            "42-201016-095902/readme.txt",
            "Kessel Racing & Friends (2024) [GT3] {v2}/O'Brien, 50% = +1; @home!.JPEG",
            "Équipe Bjørn/Straße_Łódź_Kırmızı.png",
            "E\u{301}quipe/decals.png",
            "チームレッド/デカール.png",
            "か\u{3099}/レーシング　チーム.png",
            "🏎\u{fe0f}🏁/👨\u{200d}🔧.png",
            "می\u{200c}خواهم/decals.png",
            "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p.png",
            "__MACOSX/._decals.png",
            "decals__CONFLICT__0a1b2c3d_1.png",
            ".hidden/ leading space/..two dots in front/x.png",
            ".png",
            "a.b.c/decals.tar.PNG",
            "_._/-.png",
            "….png",
        ] {
            check(input, None);
        }
    }

    #[test]
    fn a_path_has_a_file_below_the_root_and_nothing_else() {
        check("", PathFault::Empty);
        check("/", PathFault::LeadingSlash);
        check("/etc/passwd.txt", PathFault::LeadingSlash);
        check("//server/share.txt", PathFault::LeadingSlash);
        check("livery/", PathFault::TrailingSlash);
        check("livery//decals.png", PathFault::EmptyComponent);
        check("..", PathFault::DotComponent);
        check("./decals.png", PathFault::DotComponent);
        check("livery/../decals.png", PathFault::DotComponent);
        check("livery/.../decals.png", PathFault::TrailingDot);
        check("C:/decals.png", PathFault::ReservedCharacter(':'));
        check("..\\decals.png", PathFault::ReservedCharacter('\\'));
        check("decals.png:x.png", PathFault::ReservedCharacter(':'));
    }

    #[test]
    fn windows_drops_dots_and_spaces_at_the_end() {
        check("livery./decals.png", PathFault::TrailingDot);
        check("livery /decals.png", PathFault::TrailingSpace);
        check("livery. /decals.png", PathFault::TrailingSpace);
        check("livery/decals.png.", PathFault::TrailingDot);
        check("livery/decals.png ", PathFault::TrailingSpace);
        check(" /decals.png", PathFault::TrailingSpace);
    }

    #[test]
    fn dots_in_disguise_are_dots() {
        for dots in names("․|․․|‥|…|．|﹒|︰|︙|.․") {
            check(&format!("{dots}/decals.png"), PathFault::DotLookalike);
            check(&format!("livery{dots}/decals.png"), None);
        }
    }

    #[test]
    fn characters_that_deceive_or_break_are_refused() {
        #[track_caller]
        fn check_each(chars: &str, fault: fn(char) -> PathFault) {
            for c in chars.chars() {
                check(&format!("a{c}/b.png"), fault(c));
                check(&format!("a/{c}b.png"), fault(c));
                check(&format!("a/b.png{c}"), fault(c));
            }
        }
        let bidi = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        check_each("<>:\"|?*\\", PathFault::ReservedCharacter);
        check_each("\0\t\n\u{1b}\u{1f}\u{7f}\u{80}\u{9f}", PathFault::ControlCharacter);
        check_each(bidi, PathFault::BidiControl);
        check_each("\u{200b}\u{2028}\u{2029}\u{2060}\u{feff}", PathFault::InvisibleCharacter);
        check_each("\u{2044}\u{2215}\u{2216}\u{ff0f}\u{ff3c}", PathFault::SeparatorLookalike);
        check_each("\u{f000}\u{f022}\u{f0ff}", PathFault::PrivateUse);
        check_each("\u{fffd}\u{fffe}\u{ffff}", PathFault::BrokenCharacter);

        let neighbours = "\u{a0}\u{200a}\u{200c}\u{200d}\u{2010}\u{2065}\u{206a}\u{e000}\u{efff}\u{f100}\u{fffc}";
        check(&format!("{neighbours}/{neighbours}.png"), None);
    }

    #[test]
    fn device_names_are_refused_with_any_extension_and_as_folders() {
        for name in names(
            "CON|con|PRN|Aux|NUL|conin$|CONOUT$|COM1|com9|LPT1|lpt9|COM¹|com²|LPT³|CON .txt|con.tar.png|nul.png|\
             COM1   .dds",
        ) {
            let fault = PathFault::DeviceName(name.to_owned());
            check(&format!("{name}/decals.png"), fault.clone());
            check(&format!("livery/{name}"), fault);
        }
        for name in names(
            "CONSOLE|CON1|COM|COM0|COM10|COM⁴|LPT|LPT0|LPT¹¹| con|_aux|nul l|CONıN$|acon.con|ＣＯＮ|c\u{200d}on|com١",
        ) {
            check(&format!("{name}/{name}.png"), None);
        }
    }

    #[test]
    fn possible_short_names_are_refused() {
        for name in names(
            "PROGRA~1|progra~1|LIVERY~1.PNG|A~12.DDS|AB1C2D~9.txt|a~123456.png|~~1.png|MY~1LI~1.PNG|#2_TEA~1|BACKUP~1|\
             TMP~1|ÉQUIPE~1.png|チーム~2.png|A~1.P|_~1.dds",
        ) {
            let fault = PathFault::ShortName(name.to_owned());
            check(&format!("{name}/decals.png"), fault.clone());
            check(&format!("livery/{name}"), fault);
        }
        for name in names(
            "my~1livery.png|LIVERYS~1.PNG|LIVERY~1.JSON|LIVERY~1.jpeg|LIVERY~10.png|LIVERY~.PNG|A~0.png|A~01.png|\
             ~1.png|A 1~1.png|A.B~1.png|A+~1|A,~1|A;~1|A=~1|A[~1|A]~1|\
             A~1 .png|A~1a.png|A~１.png|🏁~1.png|.A~1|livery~|~|2023~2024",
        ) {
            check(&format!("{name}/decals.png"), None);
        }
    }

    #[test]
    fn reserved_folders_are_refused_at_any_depth() {
        for name in names(".backup|.BackUp|.bac\u{212a}up|.tmp|.TMP") {
            let fault = PathFault::ReservedName(name.to_owned());
            check(&format!("{name}/decals.png"), fault.clone());
            check(&format!("a/{name}/decals.png"), fault.clone());
            check(&format!("a/{name}"), fault);
        }
        check("backup/tmp/.tmp.png", None);
        check(".backups/.tmp1/decals.png", None);
    }

    #[test]
    fn lengths_are_measured_in_the_spelling() {
        let [kana, nfd] = ["レ", "か\u{3099}"];
        let folder = "x".repeat(255);
        check(&format!("{folder}/{}.png", "x".repeat(251)), None);
        check(&format!("{}.png", "x".repeat(252)), PathFault::ComponentTooLong(256));
        check(&format!("{folder}x/a.png"), PathFault::ComponentTooLong(256));
        check(&format!("{}.png", kana.repeat(83)), None);
        check(&format!("{}.png", kana.repeat(84)), PathFault::ComponentTooLong(256));
        check(&format!("{}a.png", nfd.repeat(42)), PathFault::ComponentTooLong(257));

        let folders = format!("{folder}/{folder}/{folder}");
        check(&format!("{folders}/x/{}.png", "x".repeat(250)), None);
        check(&format!("{folders}/xx/{}.png", "x".repeat(250)), PathFault::TooLong(1_025));
        check(&format!("{}b.png", "a/".repeat(15)), None);
        check(&format!("{}b.png", "a/".repeat(16)), PathFault::TooManyComponents(17));
    }

    #[test]
    fn only_listed_extensions_travel() {
        let extension = |extension: &str| PathFault::Extension(extension.to_owned());
        check("livery/decals.exe", extension("exe"));
        check("livery/decals", extension(""));
        check("livery.png/decals", extension(""));
        check("livery/png", extension(""));
        check("livery/decals.png ~", extension("png ~"));
        check("livery/decals.ｐｎｇ", extension("ｐｎｇ"));
        check(".tmp/decals.exe", PathFault::ReservedName(".tmp".to_owned()));
    }

    #[track_caller]
    fn check_message(input: &str, expected: &str) {
        let message = parse(input).err().map(|invalid| invalid.to_string());
        assert_eq!(message.as_deref(), Some(expected));
    }

    #[test]
    fn a_refusal_reads_as_a_sentence() {
        check_message("a/con.png", "`a/con.png` is refused: `con.png` is a device name on Windows");
        check_message("a./b.png", "`a./b.png` is refused: a component ends in a dot");
        check_message("a/b", "`a/b` is refused: it has no extension");
        check_message(
            "a/b.\u{200d}x",
            "`a/b.\\u{200d}x` is refused: `\\u{200d}x` is not on the list of extensions",
        );
        check_message(
            "\u{1b}[2J\u{202e}.png",
            "`\\u{1b}[2J\\u{202e}.png` is refused: it holds the control character U+001B",
        );
        let cut = format!("{}x…", "x/".repeat(149));
        check_message(
            &"x/".repeat(9_999),
            &format!("`{cut}` is refused: it has 19998 bytes, more than 1024"),
        );
    }
}
