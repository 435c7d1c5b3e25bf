//! Frames: four bytes of length, most significant first, then that many bytes of payload.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes of the length in front of each payload.
pub const HEADER_BYTES: usize = 4;

/// Largest payload before HELLO, in bytes: no stranger makes us hold more.
pub const STRANGER_BYTES_MAX: usize = 16 * 1024;

/// Largest payload after HELLO, in bytes: a manifest of 50,000 files fits.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A frame that must not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Its header claims more than the limit; nothing of it was taken in.
    #[error("a frame of {claimed} bytes, and at most {limit} are allowed here")]
    TooLarge {
        /// The length in the header.
        claimed: usize,
        /// The limit at this point.
        limit: usize,
    },
}

/// Takes the next whole payload out of `buffer`; `None` until it is all there.
///
/// # Errors
///
/// Refuses a payload over `limit` bytes from its header alone.
pub fn split(buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let claimed = u32::from_be_bytes(*header) as usize;
    if claimed > limit {
        return Err(FrameError::TooLarge { claimed, limit });
    }
    if buffer.len() < HEADER_BYTES + claimed {
        return Ok(None);
    }
    buffer.advance(HEADER_BYTES);
    Ok(Some(buffer.split_to(claimed).freeze()))
}

/// Appends a frame to `out`, its payload written by `payload`.
pub fn write(out: &mut BytesMut, payload: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    payload(out);
    let length = out.len() - start - HEADER_BYTES;
    // Nothing of ours comes near 4 GiB; a length that did not fit would be refused by any peer.
    let header = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    out[start..start + HEADER_BYTES].copy_from_slice(&header);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
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
    fn the_header_alone_is_enough_to_refuse() {
        let mut buffer = BytesMut::from(&[0xff, 0xff, 0xff, 0xff][..]);
        let refused = FrameError::TooLarge { claimed: 0xffff_ffff, limit: 100 };
        assert_eq!(split(&mut buffer, 100), Err(refused));
    }
}
