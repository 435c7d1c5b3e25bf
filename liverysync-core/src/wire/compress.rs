//! Large messages of protocol 2, as zstd.
//!
//! A list of files takes a quarter of its bytes. The payload of such a message is
//!
//! ```text
//! kind   1 byte   2
//! zstd   the rest: one frame of zstd that says how many bytes it holds; these are the JSON
//! ```
//!
//! How much a reader makes of it is bounded by what has arrived, so a stranger gets no more room by this than
//! his frame had, times [`RATIO_MAX`].

use bytes::{BufMut as _, BytesMut};
use zstd::{bulk, zstd_safe::get_frame_content_size};

use super::{frame::PAYLOAD_BYTES_MAX, v1::WireError};

/// The first byte of such a payload.
pub(super) const KIND_ZSTD: u8 = 2;

/// From how many bytes of JSON on it is tried: below, a message fits into a few packets anyway.
const BYTES_MIN: usize = 4 * 1024;

/// How many times larger than its payload a message may be. Lists of files come to about 4, because
/// digests do not shrink.
const RATIO_MAX: usize = 16;

/// Of all levels the fastest: the lists of files become no smaller with those above.
const LEVEL: i32 = 1;

/// Appends the payload that stands for `json` to `out`, if that pays. Returns whether it did.
pub(super) fn write(json: &[u8], out: &mut BytesMut) -> bool {
    if json.len() < BYTES_MIN {
        return false;
    }
    // What cannot be compressed goes as it is, for whatever reason.
    let Ok(zstd) = bulk::compress(json, LEVEL) else { return false };
    let pays = zstd.len() < json.len() - json.len() / 8;
    let may_be_read = json.len() <= largest(1 + zstd.len());
    if pays && may_be_read {
        out.reserve(1 + zstd.len());
        out.put_u8(KIND_ZSTD);
        out.extend_from_slice(&zstd);
    }
    pays && may_be_read
}

/// The JSON that a payload of this kind stands for.
///
/// # Errors
///
/// Refuses from the header alone what says no size, or one over the bound; and whatever is not that long.
pub(super) fn read(payload: &[u8]) -> Result<Vec<u8>, WireError> {
    let malformed = |what: &str| WireError::Malformed(what.to_owned());
    let zstd = payload.strip_prefix(&[KIND_ZSTD]).unwrap_or_default();
    let size = get_frame_content_size(zstd).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| malformed("a compressed message that says no size"))?;
    if size > largest(payload.len()) {
        return Err(malformed("a compressed message that is too large"));
    }
    let json = bulk::decompress(zstd, size).map_err(|_| malformed("a message that is no zstd"))?;
    if json.len() != size {
        return Err(malformed("a compressed message of another size than it says"));
    }
    Ok(json)
}

/// How many bytes a payload of `bytes` may stand for.
fn largest(bytes: usize) -> usize {
    bytes.saturating_mul(RATIO_MAX).min(PAYLOAD_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::v1::{FileInfo, ManifestFull, Message};

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
    fn a_long_list_goes_compressed_and_comes_back() {
        let list = manifest(1_000, Some(1));
        let payload = encoded(&list);
        assert_eq!(payload[0], KIND_ZSTD);
        assert!(payload.len() < serde_json::to_vec(&list).unwrap().len() / 2);
        assert_eq!(Message::read(&payload.freeze()), Ok(list));
    }

    #[test]
    fn a_short_list_goes_as_it_is_and_so_does_any_to_a_peer_of_protocol_1() {
        for list in [manifest(3, Some(1)), manifest(1_000, None)] {
            assert_eq!(encoded(&list)[0], b'{');
        }
    }

    #[test]
    fn what_does_not_shrink_goes_as_it_is() {
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        });
        let noise: Vec<u8> = noise.take(2 * BYTES_MIN).collect();
        assert!(!write(&noise, &mut BytesMut::new()));
    }

    #[test]
    fn a_bomb_is_refused_and_never_made() {
        for bytes in [64 * 1024, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX + 1] {
            let zeros = vec![b' '; bytes];
            assert!(read(&compressed(&zeros)).is_err(), "{bytes}");
            assert!(!write(&zeros, &mut BytesMut::new()), "{bytes}");
        }
        // One that says less than it holds.
        let mut bomb = compressed(&[b' '; 200]);
        let honest = bomb.clone();
        let size_at = 6;
        assert_eq!(bomb[size_at], 200);
        bomb[size_at] = 20;
        assert!(read(&bomb).is_err());
        bomb[size_at] = 201;
        assert!(read(&bomb).is_err());
        assert_eq!(read(&honest).map(|json| json.len()), Ok(200));
        // A second frame behind the first.
        assert!(read(&[&honest[..], &honest[1..]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_no_reason_to_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _either = read(&[&[KIND_ZSTD][..], &bytes].concat());
        }

        #[test]
        fn a_broken_frame_is_no_reason_to_panic(at in 0..200_usize, to in any::<u8>()) {
            let mut payload = encoded(&manifest(100, Some(1)));
            let at = at.min(payload.len() - 1);
            payload[at] = to;
            let _either = Message::read(&payload.freeze());
        }
    }
}
