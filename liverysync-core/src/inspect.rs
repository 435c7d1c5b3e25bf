//! Inspection: recognizes damaged files by their first and last bytes, and reads the size of a picture. No picture is
//! decoded, and the memory for a file does not depend on its size.
//!
//! Only damage that is certain counts. A picture with a hole in its middle passes, and so does a file of an unknown type.

use std::{collections::VecDeque, fmt};

use serde::de::IgnoredAny;

/// The longest JSON that is parsed, in bytes. The game's have a few hundred.
const JSON_BYTES_MAX: usize = 256 * 1024;

/// The bytes of a PNG's signature and of its first chunk, without that chunk's checksum.
const PNG_HEAD_BYTES: usize = 29;

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The length and the type of the first chunk.
const PNG_HEADER: &[u8] = b"\0\0\0\x0dIHDR";

/// The last chunk. It is empty, so its checksum is always the same.
const PNG_END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";

/// The last bytes of a PNG in which its end is searched. Some programs write a few bytes after it, and every decoder
/// ignores them.
const PNG_TAIL_BYTES: usize = 1024;

/// Something that makes a file useless for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It has no bytes.
    #[error("it is empty")]
    Empty,
    /// All its bytes are zero, as after a crash or on a full disk.
    #[error("it contains only zero bytes")]
    Zeros,
    /// Its name says PNG, but it does not begin like one.
    #[error("it is not a PNG picture")]
    NoSignature,
    /// It is a PNG without the chunk that says its size.
    #[error("the PNG picture has no header")]
    NoHeader,
    /// It is a PNG whose last chunk is missing.
    #[error("the PNG picture is cut off")]
    NoEnd,
    /// Its name says JSON, but it is not valid JSON in UTF-8 or UTF-16.
    #[error("it is not valid JSON")]
    InvalidJson,
}

impl Damage {
    const ALL: [Self; 6] = [
        Self::Empty,
        Self::Zeros,
        Self::NoSignature,
        Self::NoHeader,
        Self::NoEnd,
        Self::InvalidJson,
    ];

    /// Returns its word in `docs/json.md`, which the wire and the league database use too.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Zeros => "zeros",
            Self::NoSignature => "no_signature",
            Self::NoHeader => "no_header",
            Self::NoEnd => "no_end",
            Self::InvalidJson => "invalid_json",
        }
    }

    /// Returns the damage with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|damage| damage.word() == word)
    }

    /// Returns its number in the scan cache; 0 for none.
    pub(crate) fn number(damage: Option<Self>) -> u8 {
        let position = Self::ALL.iter().position(|known| Some(*known) == damage);
        position.and_then(|position| u8::try_from(position + 1).ok()).unwrap_or_default()
    }

    /// Returns the damage with this number; `None` for 0 and for numbers of later versions.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }
}

/// The type of a file, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Png,
    Json,
    /// It may be empty.
    Text,
    Other,
}

impl Type {
    fn of(name: &str) -> Self {
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let is = |other: &str| extension.eq_ignore_ascii_case(other);
        match () {
            () if is("png") => Self::Png,
            () if is("json") => Self::Json,
            () if is("txt") => Self::Text,
            () => Self::Other,
        }
    }
}

/// Facts that the bytes of a file tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// Its damage, if any is certain.
    pub damage: Option<Damage>,
    /// Its width and height in pixels, if it is a PNG with a header.
    pub pixels: Option<(u32, u32)>,
}

impl Inspection {
    /// Inspects a whole file. `name` is its name or its path.
    #[must_use]
    pub fn of(name: &str, bytes: &[u8]) -> Self {
        let mut inspector = Inspector::new(name);
        inspector.update(bytes);
        inspector.finish()
    }
}

/// Facts that the bytes of a content tell, whatever its name is. Another name of the same bytes may be of another type.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentFacts {
    /// Its damage, if its name says PNG.
    pub png: Option<Damage>,
    /// Its damage, if its name says JSON.
    pub json: Option<Damage>,
    /// Its width and height in pixels, if it is a PNG with a header.
    pub pixels: Option<(u32, u32)>,
}

impl ContentFacts {
    /// Inspects a whole content.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut inspector = ContentInspector::default();
        inspector.update(bytes);
        inspector.finish()
    }

    /// Returns what they say of a file with this name or path.
    #[must_use]
    pub fn named(self, name: &str) -> Inspection {
        let file_type = Type::of(name);
        let damage = match file_type {
            Type::Png => self.png,
            Type::Json => self.json,
            Type::Text => self.png.filter(|damage| *damage == Damage::Zeros),
            Type::Other => {
                self.png.filter(|damage| matches!(damage, Damage::Empty | Damage::Zeros))
            }
        };
        Inspection { damage, pixels: self.pixels.filter(|_| file_type == Type::Png) }
    }
}

/// Inspects a content without a name while its bytes pass by.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct ContentInspector {
    png: Inspector,
    json: Inspector,
}

impl Default for ContentInspector {
    fn default() -> Self {
        Self { png: Inspector::of_type(Type::Png), json: Inspector::of_type(Type::Json) }
    }
}

impl ContentInspector {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.png.update(bytes);
        self.json.update(bytes);
    }

    /// Returns whether only zero bytes have passed by; see [`Inspector::has_only_zeros`].
    #[must_use]
    pub const fn has_only_zeros(&self) -> bool {
        self.png.has_only_zeros()
    }

    /// Ends: all bytes have passed by.
    #[must_use]
    pub fn finish(self) -> ContentFacts {
        let Inspection { damage: png, pixels } = self.png.finish();
        ContentFacts { png, json: self.json.finish().damage, pixels }
    }
}

/// Inspects a file while its bytes pass by, in pieces of any length.
#[derive(Clone)]
pub struct Inspector {
    file_type: Type,
    size: u64,
    has_only_zeros: bool,
    /// The first bytes of a PNG; all bytes of a JSON that is not too long.
    head: Vec<u8>,
    /// The last bytes of a PNG.
    tail: VecDeque<u8>,
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file_type, size, .. } = self;
        f.debug_struct("Inspector").field("file_type", file_type).field("size", size).finish()
    }
}

impl Inspector {
    /// The first bytes of a file that count.
    pub const HEAD_BYTES: usize = JSON_BYTES_MAX + 1;

    /// The last bytes of a file that count.
    pub const TAIL_BYTES: usize = PNG_TAIL_BYTES;

    /// Begins to inspect a file. `name` is its name or its path, which says what it should be.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::of_type(Type::of(name))
    }

    const fn of_type(file_type: Type) -> Self {
        Self { file_type, size: 0, has_only_zeros: true, head: Vec::new(), tail: VecDeque::new() }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        // Most files have another byte at their beginning, so only the first piece is searched.
        self.has_only_zeros = self.has_only_zeros && bytes.iter().all(|byte| *byte == 0);
        let head_max = match self.file_type {
            Type::Png => PNG_HEAD_BYTES,
            Type::Json => JSON_BYTES_MAX + 1,
            Type::Text | Type::Other => return,
        };
        let wanted = head_max.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..wanted]);
        if self.file_type == Type::Png {
            let last = &bytes[bytes.len().saturating_sub(PNG_TAIL_BYTES)..];
            let surplus = (self.tail.len() + last.len()).saturating_sub(PNG_TAIL_BYTES);
            self.tail.drain(..surplus);
            self.tail.extend(last);
        }
    }

    /// Returns whether only zero bytes have passed by. If not, the middle of a file may be left out: after the first
    /// [`HEAD_BYTES`](Self::HEAD_BYTES) only the last [`TAIL_BYTES`](Self::TAIL_BYTES) count.
    #[must_use]
    pub const fn has_only_zeros(&self) -> bool {
        self.has_only_zeros
    }

    /// Ends: all bytes have passed by.
    #[must_use]
    pub fn finish(mut self) -> Inspection {
        let pixels = self.pixels();
        let damage = match self.file_type {
            Type::Text if self.size == 0 => None,
            _ if self.size == 0 => Some(Damage::Empty),
            _ if self.has_only_zeros => Some(Damage::Zeros),
            Type::Png => self.damage_of_png(pixels.is_some()),
            Type::Json if self.head.len() <= JSON_BYTES_MAX && !is_json(&self.head) => {
                Some(Damage::InvalidJson)
            }
            Type::Json | Type::Text | Type::Other => None,
        };
        Inspection { damage, pixels }
    }

    fn damage_of_png(&mut self, has_header: bool) -> Option<Damage> {
        if !self.head.starts_with(PNG_SIGNATURE) {
            return Some(Damage::NoSignature);
        }
        if !has_header {
            return Some(Damage::NoHeader);
        }
        let tail = self.tail.make_contiguous();
        let has_end = tail.windows(PNG_END.len()).any(|bytes| bytes == PNG_END);
        (!has_end).then_some(Damage::NoEnd)
    }

    fn pixels(&self) -> Option<(u32, u32)> {
        if self.file_type != Type::Png || self.head.len() < PNG_HEAD_BYTES {
            return None;
        }
        let rest = self.head.strip_prefix(PNG_SIGNATURE)?.strip_prefix(PNG_HEADER)?;
        let (width, rest) = rest.split_first_chunk()?;
        let (height, _) = rest.split_first_chunk()?;
        let pixels = (u32::from_be_bytes(*width), u32::from_be_bytes(*height));
        (pixels.0 > 0 && pixels.1 > 0).then_some(pixels)
    }
}

/// Returns whether bytes are JSON in an encoding that the game reads, with a byte order mark or without.
fn is_json(bytes: &[u8]) -> bool {
    let parses = |text: &str| {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        serde_json::from_str::<IgnoredAny>(text).is_ok()
    };
    std::str::from_utf8(bytes).is_ok_and(parses)
        || [u16::from_le_bytes, u16::from_be_bytes]
            .into_iter()
            .any(|unit| utf_16(bytes, unit).is_some_and(|text| parses(&text)))
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (units, rest) = bytes.as_chunks();
    let units: Vec<_> = units.iter().map(|bytes| unit(*bytes)).collect();
    String::from_utf16(&units).ok().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JSON: &str = "{\"baseRoughness\": 0.0, \"name\": \"\u{c9}quipe \u{1f3c1}\"}\r\n";

    fn png(width: u32, height: u32) -> Vec<u8> {
        let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
        let header = [PNG_SIGNATURE, PNG_HEADER, &size, b"\x08\x06\0\0\0", b"crc!"].concat();
        [&header, &b"\0\0\x10\0IDAT"[..], &[7; 4096], b"crc!", PNG_END].concat()
    }

    fn damage(name: &str, bytes: &[u8]) -> Option<Damage> {
        Inspection::of(name, bytes).damage
    }

    #[test]
    fn a_whole_picture_tells_its_size() {
        for name in ["decals.png", "T/Decals.PNG"] {
            let inspection = Inspection::of(name, &png(4096, 2048));
            assert_eq!(inspection, Inspection { damage: None, pixels: Some((4096, 2048)) });
        }
        // Bytes after the end harm nobody.
        assert_eq!(damage("a.png", &[png(1, 1), vec![0; 1000]].concat()), None);
        assert_eq!(Inspection::of("a.jpg", &png(1, 1)), Inspection::default());
    }

    #[test]
    fn a_broken_picture_is_recognized() {
        let whole = png(4096, 4096);
        let without_header = [PNG_SIGNATURE, &whole[33..]].concat();
        let zeros_at_end = [&whole[..3000], &vec![0; whole.len() - 3000]].concat();
        let mut no_pixels = whole.clone();
        no_pixels[16..20].fill(0);
        for (bytes, expected) in [
            (&b""[..], Damage::Empty),
            (&[0; 5000], Damage::Zeros),
            (&[0], Damage::Zeros),
            (b"a text", Damage::NoSignature),
            (&whole[1..], Damage::NoSignature),
            (&without_header, Damage::NoHeader),
            (&whole[..20], Damage::NoHeader),
            (&no_pixels, Damage::NoHeader),
            (&whole[..whole.len() / 2], Damage::NoEnd),
            (&whole[..whole.len() - 1], Damage::NoEnd),
            (&zeros_at_end, Damage::NoEnd),
        ] {
            assert_eq!(damage("T/decals.png", bytes), Some(expected), "{expected:?}");
        }
        // Its size is known although it is cut off.
        assert_eq!(Inspection::of("a.png", &whole[..99]).pixels, Some((4096, 4096)));
    }

    #[test]
    fn json_in_every_encoding_of_the_game_is_whole() {
        for mark in ["", "\u{feff}"] {
            let text = format!("{mark}{JSON}");
            let utf_16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
                text.encode_utf16().flat_map(bytes).collect()
            };
            for whole in
                [text.clone().into_bytes(), utf_16(u16::to_le_bytes), utf_16(u16::to_be_bytes)]
            {
                assert_eq!(damage("T/decals.json", &whole), None, "{whole:?}");
                let half = &whole[..whole.len() / 2];
                assert_eq!(damage("T/decals.json", half), Some(Damage::InvalidJson), "{half:?}");
            }
        }
        assert_eq!(damage("a.json", b""), Some(Damage::Empty));
        assert_eq!(damage("a.json", &[0; 9]), Some(Damage::Zeros));
        assert_eq!(damage("a.json", b"{} {}"), Some(Damage::InvalidJson));
        let long = vec![b'['; JSON_BYTES_MAX + 1];
        assert_eq!(damage("a.json", &long), None, "too long to be parsed");
        assert_eq!(damage("a.json", &long[1..]), Some(Damage::InvalidJson));
    }

    #[test]
    fn other_files_may_have_anything_but_nothing() {
        assert_eq!(damage("readme.txt", b""), None);
        assert_eq!(damage("readme.txt", b"Hello"), None);
        assert_eq!(damage("readme.txt", &[0; 9]), Some(Damage::Zeros));
        assert_eq!(damage("decals_0.dds", b""), Some(Damage::Empty));
        assert_eq!(damage("png", b"Hello"), None);
    }

    #[test]
    fn words_and_numbers_tell_the_damage() {
        for damage in Damage::ALL {
            assert_eq!(Damage::from_word(damage.word()), Some(damage));
            assert_eq!(Damage::from_number(Damage::number(Some(damage))), Some(damage));
        }
        assert_eq!(Damage::from_word(""), None);
        assert_eq!((Damage::number(None), Damage::from_number(0)), (0, None));
        assert_eq!(Damage::from_number(99), None);
    }

    proptest! {
        #[test]
        fn pieces_of_any_length_tell_the_same(
            bytes in prop_oneof![
                Just(png(64, 64)),
                proptest::collection::vec(any::<u8>(), 0..3000),
                Just(JSON.as_bytes().to_vec()),
                (0..3000_usize).prop_map(|len| vec![0; len]),
            ],
            name in prop_oneof![Just("a.png"), Just("a.json"), Just("a.txt"), Just("a.dds")],
            length in 1..1500_usize,
        ) {
            let mut inspector = Inspector::new(name);
            bytes.chunks(length).for_each(|piece| inspector.update(piece));
            prop_assert_eq!(inspector.finish(), Inspection::of(name, &bytes));
            // Without a name, they tell as much of every name.
            prop_assert_eq!(ContentFacts::of(&bytes).named(name), Inspection::of(name, &bytes));
        }
    }
}
