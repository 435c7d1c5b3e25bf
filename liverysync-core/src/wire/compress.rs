//! Compression of the large messages of protocol 2.
//!
//! A list of files shrinks to a quarter. The payload of a compressed message is
//!
//! ```text
//! kind   1 byte   2
//! zstd   the rest: one frame of zstd that holds the JSON and gives its length in the header
//! ```
//!
//! A reader never unpacks more than [`RATIO_MAX`] times the bytes that have arrived, so a small frame cannot take up much
//! memory.

use bytes::{BufMut as _, BytesMut};
use zstd::{bulk, zstd_safe::get_frame_content_size};

use super::{frame::PAYLOAD_BYTES_MAX, messages::WireError};

/// First byte of a compressed payload.
pub(super) const KIND_ZSTD: u8 = 2;

/// Shortest JSON that is compressed, in bytes. A shorter message fits into a few packets anyway.
const BYTES_MIN: usize = 4 * 1024;

/// Largest factor by which a message may exceed its payload. Lists of files reach about 4, because digests do not shrink.
const RATIO_MAX: usize = 16;

/// The fastest level. Higher ones make lists of files no smaller.
const LEVEL: i32 = 1;

/// Appends the compressed payload for `json` to `out` if that saves enough. Returns false if it did not.
pub(super) fn write(json: &[u8], out: &mut BytesMut) -> bool {
    if json.len() < BYTES_MIN {
        return false;
    }
    // A message that cannot be compressed is sent plain, whatever the reason is.
    let Ok(zstd) = bulk::compress(json, LEVEL) else { return false };
    let pays = zstd.len() < json.len() - json.len() / 8;
    // A reader refuses what expands by more, so such a message travels plain.
    let may_be_read = json.len() <= largest(1 + zstd.len());
    if pays && may_be_read {
        out.reserve(1 + zstd.len());
        out.put_u8(KIND_ZSTD);
        out.extend_from_slice(&zstd);
    }
    pays && may_be_read
}

/// Unpacks the JSON of a compressed payload.
///
/// # Errors
///
/// Refuses a frame whose header gives no size or too large a one, before it unpacks anything, and a frame of another size.
pub(super) fn read(payload: &[u8]) -> Result<Vec<u8>, WireError> {
    let zstd = payload.strip_prefix(&[KIND_ZSTD]).unwrap_or_default();
    let size = get_frame_content_size(zstd).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or(WireError::Malformed("a compressed message gives no size"))?;
    if size > largest(payload.len()) {
        return Err(WireError::Malformed("a compressed message is too large"));
    }
    let json = bulk::decompress(zstd, size)
        .map_err(|_| WireError::Malformed("a compressed message is not zstd"))?;
    if json.len() != size {
        return Err(WireError::Malformed(
            "a compressed message has another size than its header says",
        ));
    }
    Ok(json)
}

/// Returns the largest JSON that a payload of `bytes` may hold.
fn largest(bytes: usize) -> usize {
    bytes.saturating_mul(RATIO_MAX).min(PAYLOAD_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::messages::{FileInfo, ManifestFull, Message};

    fn manifest(files: u32, revision: Option<u64>) -> Message {
        let file = |number: u32| FileInfo {
            rel_path: format!("Team {number}/decals.png"),
            size: u64::from(number),
            sha256: crate::hash::ContentHash::of(&number.to_be_bytes()).to_string(),
            ..FileInfo::default()
        };
        let manifest = (0..files).map(file).collect();
        Message::ManifestFull(ManifestFull { revision, manifest, ..ManifestFull::default() })
    }

    fn encoded(message: &Message) -> BytesMut {
        let mut out = BytesMut::new();
        message.encode(&mut out);
        out
    }

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        [&[KIND_ZSTD][..], &bulk::compress(bytes, LEVEL).unwrap()].concat()
    }

    #[test]
    fn a_long_list_is_compressed() {
        let list = manifest(1_000, Some(1));
        let payload = encoded(&list);
        assert_eq!(payload[0], KIND_ZSTD);
        assert!(payload.len() < serde_json::to_vec(&list).unwrap().len() / 2);
        assert_eq!(Message::read(&payload.freeze()).unwrap(), list);
    }

    #[test]
    fn a_short_list_and_any_list_of_protocol_1_stay_plain() {
        for list in [manifest(3, Some(1)), manifest(1_000, None)] {
            assert_eq!(encoded(&list)[0], b'{');
        }
    }

    #[test]
    fn a_message_that_does_not_shrink_stays_plain() {
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        });
        let noise: Vec<u8> = noise.take(2 * BYTES_MIN).collect();
        assert!(!write(&noise, &mut BytesMut::new()));
    }

    #[test]
    fn a_decompression_bomb_is_refused_and_never_written() {
        for bytes in [64 * 1024, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX + 1] {
            let zeros = vec![b' '; bytes];
            assert!(read(&compressed(&zeros)).is_err(), "{bytes}");
            assert!(!write(&zeros, &mut BytesMut::new()), "{bytes}");
        }
        // A header that gives another size than the frame holds.
        let mut bomb = compressed(&[b' '; 200]);
        let honest = bomb.clone();
        let size_at = 6;
        assert_eq!(bomb[size_at], 200);
        bomb[size_at] = 20;
        assert!(read(&bomb).is_err());
        bomb[size_at] = 201;
        assert!(read(&bomb).is_err());
        assert_eq!(read(&honest).unwrap().len(), 200);
        // A second frame after the first.
        assert!(read(&[&honest[..], &honest[1..]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _either = read(&[&[KIND_ZSTD][..], &bytes].concat());
        }

        #[test]
        fn a_broken_frame_does_not_panic(at in 0..200_usize, to in any::<u8>()) {
            let mut payload = encoded(&manifest(100, Some(1)));
            let at = at.min(payload.len() - 1);
            payload[at] = to;
            let _either = Message::read(&payload.freeze());
        }
    }
}
