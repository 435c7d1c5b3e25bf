//! The only source of randomness: a generator whose output depends on a seed alone.

use std::time::Duration;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// A seeded generator. Equal seeds give equal streams on every platform and in every version.
#[derive(Clone, Debug)]
pub(crate) struct Rng(ChaCha8Rng);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Returns eight hex digits, the form of a client id in protocol 1.
    #[cfg(feature = "server")]
    pub(crate) fn client_id(&mut self) -> String {
        format!("{:08x}", self.0.next_u32())
    }

    /// Returns a version 4 UUID, the form of a sync id in protocol 1.
    #[cfg(feature = "server")]
    pub(crate) fn uuid(&mut self) -> String {
        let high = (self.0.next_u64() & !0xf000) | 0x4000;
        let low = (self.0.next_u64() & !(0b11 << 62)) | (0b10 << 62);
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// Scales a delay by a factor between 0.5 and 1.
    ///
    /// Source: "equal jitter", <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.
    pub(crate) fn jitter(&mut self, delay: Duration) -> Duration {
        let share = f64::from(self.0.next_u32()) / f64::from(u32::MAX);
        delay.mul_f64(0.5 + share / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_output() {
        let mut rng = Rng::new(1);
        assert_eq!(rng.client_id(), "8ca40db1");
        let uuid = rng.uuid();
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uuid.as_bytes()[19]));
        assert_eq!(uuid.len(), 36);
    }
}
