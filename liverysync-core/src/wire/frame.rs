//! Frames: four bytes of length, the most significant first, then that many bytes of payload.

use bytes::{Buf, Bytes, BytesMut};

use super::messages::{Message, PROTOCOL_2, WireError};

/// Size of the length before each payload, in bytes.
pub const HEADER_BYTES: usize = 4;

/// Largest payload before HELLO, in bytes. It bounds the memory that a stranger can take up.
pub const STRANGER_BYTES_MAX: usize = 16 * 1024;

/// Largest payload while no list of files is due, in bytes: from a server before WELCOME, and from a client of protocol 2
/// that has not said what it has.
pub const SMALL_BYTES_MAX: usize = 64 * 1024;

/// Largest payload after that, in bytes: a manifest of 50,000 files fits.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Takes the next whole payload out of `buffer`. Returns `None` until all of it has arrived.
///
/// # Errors
///
/// Refuses a payload of more than `limit` bytes as soon as its header has arrived.
pub fn split(buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, WireError> {
    let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let claimed = u32::from_be_bytes(*header) as usize;
    if claimed > limit {
        return Err(WireError::TooLarge { claimed, limit });
    }
    // Nothing is reserved for it: the buffer grows with what arrives, not with what a header announces.
    if buffer.len() < HEADER_BYTES + claimed {
        return Ok(None);
    }
    buffer.advance(HEADER_BYTES);
    Ok(Some(buffer.split_to(claimed).freeze()))
}

/// Returns the largest payload that a client may send after `message`, in bytes. `limit` is the one until now, which is
/// [`STRANGER_BYTES_MAX`] at first.
#[must_use]
pub fn client_limit(message: &Message, limit: usize) -> usize {
    match message {
        Message::Hello(hello) => {
            let speaks_v2 = hello.liverysync.is_some_and(|version| version >= PROTOCOL_2);
            // Without a hash it only looks, or looks first.
            let looks = speaks_v2 && hello.manifest_hash.is_empty();
            if looks { limit.max(SMALL_BYTES_MAX) } else { PAYLOAD_BYTES_MAX }
        }
        // Its list comes once it knows what the league has.
        Message::RequestManifest(_) if limit > STRANGER_BYTES_MAX => PAYLOAD_BYTES_MAX,
        _ => limit,
    }
}

/// Returns the largest payload that a server may send after `message`, in bytes. `limit` is the one until now, which is
/// [`SMALL_BYTES_MAX`] at first.
#[must_use]
pub const fn server_limit(message: &Message, limit: usize) -> usize {
    if matches!(message, Message::Welcome(_)) { PAYLOAD_BYTES_MAX } else { limit }
}

/// Appends a frame to `out`. `payload` writes its payload.
pub fn write(out: &mut BytesMut, payload: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    payload(out);
    let length = out.len() - start - HEADER_BYTES;
    // No payload comes near 4 GiB. A peer would refuse one that did.
    let header = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    out[start..start + HEADER_BYTES].copy_from_slice(&header);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cut() {
        let mut wire = BytesMut::new();
        for payload in [&b"one"[..], b"", b"three"] {
            write(&mut wire, |out| out.extend_from_slice(payload));
        }
        let (mut buffer, mut got) = (BytesMut::new(), Vec::new());
        for byte in wire {
            buffer.extend_from_slice(&[byte]);
            while let Some(payload) = split(&mut buffer, 5).unwrap() {
                got.push(payload);
            }
        }
        assert_eq!(got, [&b"one"[..], b"", b"three"]);
    }

    #[test]
    fn a_large_frame_is_refused_from_its_header_alone() {
        let mut buffer = BytesMut::from(&[0xff, 0xff, 0xff, 0xff][..]);
        let refused = split(&mut buffer, 100);
        assert!(matches!(refused, Err(WireError::TooLarge { claimed: 0xffff_ffff, limit: 100 })));
    }
}
