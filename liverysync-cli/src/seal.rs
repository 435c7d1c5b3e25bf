//! Encryption with a passphrase: a key by Argon2id, and XChaCha20-Poly1305.
//!
//! The result is a JSON object. It says how its key is made, so that later versions can take more time for that.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{Aead as _, Payload},
};
use serde::{Deserialize, Serialize};

/// The shortest passphrase, in characters. The file may be kept anywhere, and guesses at it cost nothing but time.
pub(crate) const PASSPHRASE_CHARS_MIN: usize = 8;

/// The form of the file.
const FORM: u32 = 1;

/// The work that makes a key: 64 MiB, three times, which takes a PC a fraction of a second.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3 };

/// The most work that a file may ask for. It may be anybody's.
const COST_MAX: Cost = Cost { memory_kib: 1024 * 1024, passes: 16 };

const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;

/// Number of random bytes that sealing takes.
pub(crate) const RANDOM_BYTES: usize = SALT_BYTES + NONCE_BYTES;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cost {
    memory_kib: u32,
    passes: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    liverysync_identity_export: u32,
    #[serde(flatten)]
    argon2id: Cost,
    salt: String,
    nonce: String,
    xchacha20poly1305: String,
}

/// The reason why a file cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SealFault {
    /// It is not an exported identity.
    NotSealed,
    /// A later version made it.
    Newer,
    /// The passphrase is wrong, or the file is damaged.
    Wrong,
}

/// Encrypts a text.
pub(crate) fn seal(text: &str, passphrase: &str, random: &[u8; RANDOM_BYTES]) -> Option<String> {
    seal_with(text, passphrase, random, COST)
}

fn seal_with(
    text: &str,
    passphrase: &str,
    random: &[u8; RANDOM_BYTES],
    cost: Cost,
) -> Option<String> {
    let (salt, nonce) = random.split_at(SALT_BYTES);
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
    let cipher = cipher(passphrase, salt, cost)?;
    let payload = Payload { msg: text.as_bytes(), aad: b"liverysync identity 1" };
    let sealed = Sealed {
        liverysync_identity_export: FORM,
        argon2id: cost,
        salt: const_hex::encode(salt),
        nonce: const_hex::encode(nonce),
        xchacha20poly1305: const_hex::encode(cipher.encrypt(&nonce.into(), payload).ok()?),
    };
    Some(serde_json::to_string_pretty(&sealed).ok()? + "\n")
}

/// Decrypts a file.
pub(crate) fn open(file: &[u8], passphrase: &str) -> Result<Vec<u8>, SealFault> {
    let value: serde_json::Value =
        serde_json::from_slice(file).map_err(|_| SealFault::NotSealed)?;
    match value.get("liverysync_identity_export").and_then(serde_json::Value::as_u64) {
        Some(form) if form == u64::from(FORM) => {}
        Some(form) if form > u64::from(FORM) => return Err(SealFault::Newer),
        _ => return Err(SealFault::NotSealed),
    }
    let sealed: Sealed = serde_json::from_value(value).map_err(|_| SealFault::Wrong)?;
    unseal(&sealed, passphrase).ok_or(SealFault::Wrong)
}

fn unseal(sealed: &Sealed, passphrase: &str) -> Option<Vec<u8>> {
    let cost = sealed.argon2id;
    if cost.memory_kib > COST_MAX.memory_kib || cost.passes > COST_MAX.passes {
        return None;
    }
    let salt = const_hex::decode(&sealed.salt).ok()?;
    let nonce: [u8; NONCE_BYTES] = const_hex::decode(&sealed.nonce).ok()?.try_into().ok()?;
    let encrypted = const_hex::decode(&sealed.xchacha20poly1305).ok()?;
    let payload = Payload { msg: &encrypted, aad: b"liverysync identity 1" };
    cipher(passphrase, &salt, cost)?.decrypt(&nonce.into(), payload).ok()
}

fn cipher(passphrase: &str, salt: &[u8], cost: Cost) -> Option<XChaCha20Poly1305> {
    let params = Params::new(cost.memory_kib, cost.passes, 1, Some(32)).ok()?;
    let mut key = [0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(passphrase.as_bytes(), salt, &mut key).ok()?;
    Some(XChaCha20Poly1305::new(&key.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Little work, so that a test can open many files.
    const LITTLE: Cost = Cost { memory_kib: 8, passes: 1 };

    fn sealed(text: &str) -> String {
        seal_with(text, "correct horse", &[7; RANDOM_BYTES], LITTLE).unwrap()
    }

    #[test]
    fn the_passphrase_opens_what_it_has_sealed() {
        let file = sealed("secret");
        assert!(!file.contains("secret"));
        assert_eq!(open(file.as_bytes(), "correct horse"), Ok(b"secret".to_vec()));
        assert_eq!(open(file.as_bytes(), "correct house"), Err(SealFault::Wrong));
        let file = seal("secret", "correct horse", &[7; RANDOM_BYTES]).unwrap();
        assert!(file.contains("\"memory_kib\": 65536") && file.contains("\"passes\": 3"));
    }

    #[test]
    fn a_changed_file_is_not_opened() {
        let file = sealed("secret");
        assert_eq!(open(file.as_bytes(), "correct horse"), Ok(b"secret".to_vec()));
        for at in 0..file.len() {
            let mut changed = file.clone().into_bytes();
            changed[at] ^= 1;
            let opened = open(&changed, "correct horse");
            // White space and the case of hex digits mean nothing.
            assert!(opened.is_err() || opened == Ok(b"secret".to_vec()), "byte {at}");
        }
    }

    #[test]
    fn other_files_are_told_apart() {
        let open = |file: &str| open(file.as_bytes(), "correct horse");
        assert_eq!(open(r#"{"liverysync_identity": 1}"#), Err(SealFault::NotSealed));
        assert_eq!(open("PNG"), Err(SealFault::NotSealed));
        let newer = sealed("secret").replace("export\": 1", "export\": 2");
        assert_eq!(open(&newer), Err(SealFault::Newer));
        let costly = sealed("secret").replace("\"passes\": 1", "\"passes\": 4000000000");
        assert_eq!(open(&costly), Err(SealFault::Wrong));
    }
}
