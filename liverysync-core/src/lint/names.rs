//! Names that programs give: copies, new folders, and names that were read in the wrong encoding. All names here are folded,
//! unless they say otherwise.

/// The words that Windows puts behind the name of a copy, after ` - `, and macOS after a space. English, German, French,
/// Italian and Spanish, Portuguese.
const COPY: [&str; 5] = ["copy", "kopie", "copie", "copia", "cópia"];

/// The words that older Windows puts before it.
const COPY_OF: [&str; 6] =
    ["copy of ", "kopie von ", "copie de ", "copia di ", "copia de ", "cópia de "];

/// The names that Windows gives new folders, in the same languages.
const NEW_FOLDER: [&str; 6] = [
    "new folder",
    "neuer ordner",
    "nouveau dossier",
    "nuova cartella",
    "nueva carpeta",
    "nova pasta",
];

/// Returns the name that a copy was made of, if a name is that of a copy: `decals` of `decals - copy (2)`.
pub(super) fn original(name: &str) -> Option<&str> {
    let plain = without_number(name);
    let behind = COPY.iter().find_map(|word| plain.strip_suffix(word)?.strip_suffix(' '));
    let behind = behind.map(|rest| rest.strip_suffix(" -").unwrap_or(rest));
    let before = || COPY_OF.iter().find_map(|words| name.strip_prefix(words));
    behind.or_else(before).map(str::trim_end).filter(|original| !original.is_empty())
}

/// Returns true for a name that Windows gives a new folder.
pub(super) fn is_new_folder(name: &str) -> bool {
    NEW_FOLDER.contains(&without_number(name))
}

/// Removes the number of a second copy: ` (2)` or ` 2`.
fn without_number(name: &str) -> &str {
    let Some((plain, number)) = name.rsplit_once(' ') else { return name };
    let digits = number.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(number);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        plain
    } else {
        name
    }
}

/// Most characters of a PC's name with its number.
const PC_CHARS_MAX: usize = 18;

/// Words in capitals that people put behind a name, and that are no names of PCs.
const NO_PC: [&str; 12] = [
    "BACKUP", "BLACK", "BLUE", "CHROME", "COPY", "FINAL", "GREEN", "MATTE", "NIGHT", "ORIGINAL",
    "TEST", "WHITE",
];

/// Returns the PC's name in the stem of a copy that OneDrive made, as the disk spells it: `decals-DESKTOP-1A2B3C4`. A PC has
/// its name in capitals, and a number may follow. Names in small letters are left alone: most of them are an author's variants.
pub(super) fn pc_of_copy<'a>(stem: &'a str, original: &str) -> Option<&'a str> {
    let pc = stem.get(original.len()..)?.strip_prefix('-')?;
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
    let is_pc = (4..=PC_CHARS_MAX).contains(&pc.len())
        && pc.chars().all(fits)
        && pc.starts_with(|c: char| c.is_ascii_alphanumeric())
        && pc.chars().filter(char::is_ascii_uppercase).count() > 1
        && !NO_PC.contains(&pc);
    is_pc.then_some(pc)
}

/// The characters of code page 437, the encoding of names in old ZIP files, from 0x80 on.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// The characters of Windows code page 1252 from 0x80 to 0x9F. The five gaps are control characters.
const CP1252: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

/// Returns the names whose UTF-8 looks like this name to a program that reads it in another encoding. Most names have none.
pub(super) fn repaired(name: &str) -> Vec<String> {
    if name.is_ascii() {
        return Vec::new();
    }
    let encoders = [latin_1, cp_1252, cp_437];
    let encoded = encoders.iter().filter_map(|encoder| name.chars().map(encoder).collect());
    encoded.filter_map(|bytes| String::from_utf8(bytes).ok()).collect()
}

fn latin_1(c: char) -> Option<u8> {
    u8::try_from(u32::from(c)).ok()
}

fn cp_1252(c: char) -> Option<u8> {
    position(CP1252, c).or_else(|| latin_1(c))
}

fn cp_437(c: char) -> Option<u8> {
    position(CP437, c).or_else(|| latin_1(c).filter(u8::is_ascii))
}

/// Returns the byte of a character in a table that begins at 0x80.
fn position(table: &str, c: char) -> Option<u8> {
    u8::try_from(table.chars().position(|known| known == c)? + 0x80).ok()
}
