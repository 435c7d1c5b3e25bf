//! Liveries for the demo: small, but real pictures and material values.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;

use crate::text::error;

/// Width and height of a picture. The game's own are 4096 pixels wide.
const PIXELS: usize = 256;

/// Width of a stripe.
const STRIPE: usize = 32;

/// Pixels to a dot of a digit.
const DOT: usize = 16;

/// Digits of three by five dots, a row to three bits, the highest first.
const DIGITS: [u16; 10] = [
    0b111_101_101_101_111,
    0b010_110_010_010_111,
    0b111_001_111_100_111,
    0b111_001_111_001_111,
    0b101_101_111_001_001,
    0b111_100_111_001_111,
    0b111_100_111_101_111,
    0b111_001_010_010_010,
    0b111_101_111_101_111,
    0b111_101_111_001_111,
];

type Colour = [u8; 3];

/// A livery to make.
pub(super) struct Livery {
    pub(super) folder: &'static str,
    pub(super) number: &'static str,
    pub(super) colours: [Colour; 2],
    /// Set for metallic paint.
    pub(super) metallic: bool,
    /// Set for a livery with a second layer.
    pub(super) sponsors: bool,
}

/// A file that was made.
pub(super) struct Made {
    /// Its path below the liveries folder, with `/`.
    pub(super) path: String,
    pub(super) content: Vec<u8>,
    pub(super) mtime: SystemTime,
}

/// Makes a livery below `root`, last changed at `mtime`.
pub(super) fn make(root: &Path, livery: &Livery, mtime: SystemTime) -> anyhow::Result<Vec<Made>> {
    let mut files = vec![("decals.png", decals(livery)?), ("decals.json", material(livery))];
    if livery.sponsors {
        files.push(("sponsors.png", sponsors(livery)?));
        files.push(("sponsors.json", material(&Livery { metallic: !livery.metallic, ..*livery })));
    }
    let folder = root.join(livery.folder);
    fs::create_dir_all(&folder).with_context(|| error::cannot_create(&folder))?;
    let mut made = Vec::new();
    for (name, content) in files {
        let path = folder.join(name);
        write(&path, &content, mtime).with_context(|| error::cannot_create(&path))?;
        made.push(Made { path: format!("{}/{name}", livery.folder), content, mtime });
    }
    Ok(made)
}

fn write(path: &Path, content: &[u8], mtime: SystemTime) -> std::io::Result<()> {
    fs::write(path, content)?;
    File::options().write(true).open(path)?.set_modified(mtime)
}

/// Returns a whole second some hours ago, the date of a file that is not new.
pub(super) fn hours_ago(hours: u64) -> SystemTime {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let then = now.saturating_sub(Duration::from_secs(hours * 3600));
    SystemTime::UNIX_EPOCH + Duration::from_secs(then.as_secs())
}

/// Paints stripes in the driver's colours, shaded from top to bottom, with the driver's number.
fn decals(livery: &Livery) -> anyhow::Result<Vec<u8>> {
    let mut pixels = Vec::with_capacity(PIXELS * PIXELS * 4);
    for y in 0..PIXELS {
        for x in 0..PIXELS {
            let [r, g, b] = if is_number(livery.number, x, y) {
                [255, 255, 255]
            } else {
                let grain = if livery.metallic { flake(x, y) } else { 0 };
                livery.colours[(x + y) / STRIPE % 2].map(|channel| shade(channel, y, grain))
            };
            pixels.extend([r, g, b, 255]);
        }
    }
    png(&pixels)
}

/// Paints the second layer: transparent except for a band with the number.
fn sponsors(livery: &Livery) -> anyhow::Result<Vec<u8>> {
    let mut pixels = Vec::with_capacity(PIXELS * PIXELS * 4);
    for y in 0..PIXELS {
        for x in 0..PIXELS {
            let band = (PIXELS / 4..PIXELS * 3 / 4).contains(&y);
            let [r, g, b] =
                if is_number(livery.number, x, y) { livery.colours[0] } else { [250, 250, 245] };
            pixels.extend([r, g, b, if band { 230 } else { 0 }]);
        }
    }
    png(&pixels)
}

/// Darkens a channel to three quarters on the way down, and a bit more by its grain.
fn shade(channel: u8, y: usize, grain: u8) -> u8 {
    let darker = usize::from(channel) * (PIXELS * 4 - y) / (PIXELS * 4);
    u8::try_from(darker).unwrap_or(channel).saturating_sub(grain)
}

/// Returns the grain of metallic paint: the same in every run, and without a visible pattern.
const fn flake(x: usize, y: usize) -> u8 {
    let mixed = ((x * PIXELS + y) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 60) as u8
}

/// Returns whether the number in the middle of the picture covers this pixel.
fn is_number(number: &str, x: usize, y: usize) -> bool {
    let digits: Vec<_> = number.bytes().filter(u8::is_ascii_digit).collect();
    let left = (PIXELS - digits.len() * 4 * DOT) / 2;
    let top = (PIXELS - 5 * DOT) / 2;
    let (Some(x), Some(y)) = (x.checked_sub(left), y.checked_sub(top)) else { return false };
    let (column, row) = (x / DOT, y / DOT);
    let Some(digit) = digits.get(column / 4) else { return false };
    let dots = DIGITS[usize::from(digit - b'0')];
    column % 4 < 3 && row < 5 && dots >> (14 - row * 3 - column % 4) & 1 == 1
}

fn png(pixels: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut content = Vec::new();
    let side = u32::try_from(PIXELS)?;
    let mut encoder = png::Encoder::new(&mut content, side, side);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(content)
}

fn material(livery: &Livery) -> Vec<u8> {
    let metallic = if livery.metallic { 0.85 } else { 0.0 };
    let number: f64 = livery.number.parse().unwrap_or_default();
    let values = serde_json::json!({
        "baseRoughness": (100.0 + number) / 1000.0,
        "clearCoat": 1.0,
        "clearCoatRoughness": 0.05,
        "metallic": metallic,
    });
    format!("{values:#}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pictures_are_pictures() {
        let colours = [[200, 0, 0], [255, 255, 255]];
        let livery =
            Livery { folder: "x", number: "904", colours, metallic: false, sponsors: true };
        for content in [decals(&livery).unwrap(), sponsors(&livery).unwrap()] {
            let decoder = png::Decoder::new(std::io::Cursor::new(content));
            let mut reader = decoder.read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).unwrap();
            assert_eq!((info.width, info.height), (256, 256));
        }
    }

    #[test]
    fn the_number_is_in_the_picture() {
        let rows: Vec<String> = (0..5)
            .map(|row| {
                let y = (PIXELS - 5 * DOT) / 2 + row * DOT;
                let dot = |column| is_number("27", (PIXELS - 8 * DOT) / 2 + column * DOT, y);
                (0..8).map(|column| if dot(column) { '#' } else { ' ' }).collect()
            })
            .collect();
        assert_eq!(rows, ["### ### ", "  #   # ", "###  #  ", "#    #  ", "###  #  "]);
    }
}
