//! Encoded messages that are kept for as long as what they configure, to be shown: a name that is
//! not theirs alone, and bytes that may be part of others.

use crate::load::message_of;
use bytes::Bytes;
use envoy_types::pb::google::protobuf::Any;
use prost::{DecodeError, Message, Name};

/// An encoded message of a known type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packed {
    name: &'static str,
    body: Bytes,
}

impl Packed {
    /// A message that is encoded already.
    pub fn new<T: Name>(body: impl Into<Bytes>) -> Self {
        Self {
            name: message_of::<T>().map_or("", |message| message.name()),
            body: body.into(),
        }
    }

    /// Encodes a message.
    pub fn of<T: Message + Name>(message: &T) -> Self {
        Self::new::<T>(message.encode_to_vec())
    }

    /// The encoded message.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The message.
    ///
    /// # Errors
    /// Bytes that are none.
    pub fn decode<T: Message + Default>(&self) -> Result<T, DecodeError> {
        T::decode(self.body.clone())
    }

    /// As `type.googleapis.com/NAME`.
    pub fn any(&self) -> Any {
        Any {
            type_url: format!("type.googleapis.com/{}", self.name),
            value: self.body.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::envoy::config::core::v3::Locality;

    #[test]
    fn a_part_of_others_is_packed_as_it_is() {
        let locality = Locality {
            zone: "z".into(),
            ..Locality::default()
        };
        let encoded = locality.encode_to_vec();
        let whole = Bytes::from([b"more", &*encoded].concat());
        let packed = Packed::new::<Locality>(whole.slice(4..));
        assert_eq!(packed, Packed::of(&locality));
        assert_eq!(packed.decode::<Locality>(), Ok(locality.clone()));
        assert_eq!(packed.any(), crate::any::pack(&locality));
    }
}
