//! The reading of JSON: the type first, and then the fields that it has.
//!
//! All known programs write the type first, so a message is read in one pass. Where it comes later, a pass that keeps nothing
//! finds it.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor,
        value::{CowStrDeserializer, MapAccessDeserializer},
    },
};

use super::{Message, WireError};
use crate::{text::escape_limited, wire::chunk};

/// Largest JSON of an act and of its answer, in bytes. Their forms depend on a field, so all of it is in memory twice.
const ACT_BYTES_MAX: usize = 64 * 1024;

/// Longest type that is kept of an unknown message, in characters.
const TYPE_CHARS_MAX: usize = 64;

/// A text that is borrowed from the payload wherever it has no escapes.
#[derive(Deserialize)]
pub(in crate::wire) struct Text<'a>(#[serde(borrow)] pub(in crate::wire) Cow<'a, str>);

/// Reads a message of any form.
pub(in crate::wire) fn json(payload: &[u8]) -> Result<Message, WireError> {
    let read = |kind| {
        let mut json = serde_json::Deserializer::from_slice(payload);
        let found = json.deserialize_map(Object { kind, bytes: payload.len() })?;
        json.end().map(|()| found)
    };
    match read(None)? {
        Found::Message(message) => Ok(*message),
        Found::Type(kind) => match read(Some(kind))? {
            Found::Message(message) => Ok(*message),
            Found::Type(_) => Err(WireError::Malformed("it has no type")),
        },
    }
}

enum Found<'de> {
    Message(Box<Message>),
    /// The type of a message that does not begin with it.
    Type(Cow<'de, str>),
}

/// The object that holds a message.
struct Object<'de> {
    /// Its type, if that is known already.
    kind: Option<Cow<'de, str>>,
    bytes: usize,
}

impl<'de> Visitor<'de> for Object<'de> {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found<'de>, A::Error> {
        if let Some(kind) = self.kind {
            return message(&kind, self.bytes, Fields { map, skips_type: true });
        }
        let mut is_first = true;
        while let Some(Text(key)) = map.next_key()? {
            if key == "type" {
                let Text(kind) = map.next_value()?;
                let mut rest = Fields { map, skips_type: false };
                if is_first {
                    return message(&kind, self.bytes, rest);
                }
                while rest.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Found::Type(kind));
            }
            map.next_value::<IgnoredAny>()?;
            is_first = false;
        }
        Err(A::Error::missing_field("type"))
    }
}

fn message<'de, A: MapAccess<'de>>(
    kind: &str,
    bytes: usize,
    fields: Fields<A>,
) -> Result<Found<'de>, A::Error> {
    if matches!(kind, "ACT" | "ACTED") && bytes > ACT_BYTES_MAX {
        return Err(A::Error::custom("an act has over 64 KiB"));
    }
    let fields = MapAccessDeserializer::new(fields);
    let message = match kind {
        "ACCEPT" => Message::Accept(Deserialize::deserialize(fields)?),
        "ACT" => Message::Act(Deserialize::deserialize(fields)?),
        "ACTED" => Message::Acted(Deserialize::deserialize(fields)?),
        "CREDIT" => Message::Credit(Deserialize::deserialize(fields)?),
        "ERROR" => Message::Error(Deserialize::deserialize(fields)?),
        "FILE_BEGIN" => Message::FileBegin(Deserialize::deserialize(fields)?),
        "FILE_CHUNK" => {
            let fields = chunk::Fields::deserialize(fields)?;
            Message::FileChunk(fields.chunk().map_err(A::Error::custom)?)
        }
        "FILE_END" => Message::FileEnd(Deserialize::deserialize(fields)?),
        "HELLO" => Message::Hello(Deserialize::deserialize(fields)?),
        "MANIFEST_CHANGES" => Message::ManifestChanges(Deserialize::deserialize(fields)?),
        "MANIFEST_FULL" => Message::ManifestFull(Deserialize::deserialize(fields)?),
        "MANIFEST_SUMMARY" => Message::ManifestSummary(Deserialize::deserialize(fields)?),
        "NOTICES" => Message::Notices(Deserialize::deserialize(fields)?),
        "REQUEST_MANIFEST" => Message::RequestManifest(Deserialize::deserialize(fields)?),
        "RETIRE" => Message::Retire(Deserialize::deserialize(fields)?),
        "SEND_FILES" => Message::SendFiles(Deserialize::deserialize(fields)?),
        "SERVER_STATE" => Message::ServerState(Deserialize::deserialize(fields)?),
        "SYNC_DONE" => Message::SyncDone(Deserialize::deserialize(fields)?),
        "SYNC_DONE_ACK" => Message::SyncDoneAck(Deserialize::deserialize(fields)?),
        "SYNC_OFFER" => Message::SyncOffer(Deserialize::deserialize(fields)?),
        "WELCOME" => Message::Welcome(Deserialize::deserialize(fields)?),
        other => {
            IgnoredAny::deserialize(fields)?;
            match other {
                "PING" => Message::Ping,
                "PONG" => Message::Pong,
                // Not an error: a later version of a protocol may have more types.
                _ => Message::Unknown(escape_limited(other, TYPE_CHARS_MAX).into_owned()),
            }
        }
    };
    Ok(Found::Message(Box::new(message)))
}

/// The fields of a message besides its type, which it has once.
struct Fields<A> {
    map: A,
    /// The type has been read in an earlier pass.
    skips_type: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(Text(key)) = self.map.next_key()? {
            if key != "type" {
                return seed.deserialize(CowStrDeserializer::new(key)).map(Some);
            }
            if !self.skips_type {
                return Err(A::Error::duplicate_field("type"));
            }
            self.map.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}
