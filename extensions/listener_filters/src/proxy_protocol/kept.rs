//! What is kept of a header's type-length-values, and where.

use nuncio_base::base64;
use nuncio_base::metadata::Value;
use nuncio_codec::proxy_protocol::tlvs;
use nuncio_stream_info::proxy_protocol::{PassThrough, PassedTlvs};
use nuncio_stream_info::{ConnectionInfo, FilterStateObject, LifeSpan};
use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// The filter state object that has them.
const STATE_KEY: &str = "envoy.network.proxy_protocol.tlv";

/// How a value becomes text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// As UTF-8, in which each byte that is none becomes `!`.
    Text,
    /// In base64.
    Base64,
}

/// Where values go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Location {
    /// To the connection's dynamic metadata.
    Metadata,
    /// To its filter state.
    FilterState,
}

/// Which value is kept, and its name.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The type.
    pub kind: u8,
    /// The namespace of the metadata.
    pub namespace: String,
    /// The key there.
    pub key: String,
    /// How it becomes text.
    pub encoding: Encoding,
}

/// What is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The values.
    pub rules: Vec<Rule>,
    /// Where they go.
    pub location: Location,
    /// Which values hosts are told of.
    pub passed: PassThrough,
}

/// Values by their keys.
struct Tlvs(BTreeMap<String, Value>);

impl FilterStateObject for Tlvs {
    fn as_value(&self) -> Option<Value> {
        Some(Value::Struct(Arc::new(self.0.clone())))
    }

    fn field(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::Text(text) => Some(text.as_ref().to_owned()),
            _ => None,
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Kept {
    /// Keeps what the rules name of a header.
    pub fn keep(&self, header: &[u8], info: &ConnectionInfo) {
        self.pass_on(header, info);
        if self.rules.is_empty() {
            return;
        }
        let mut state = BTreeMap::new();
        for (kind, value) in tlvs(header) {
            for rule in self.rules.iter().filter(|rule| rule.kind == kind) {
                let value = Value::Text(rule.encoding.text(value).into());
                match self.location {
                    Location::FilterState => {
                        state.insert(rule.key.clone(), value);
                    }
                    Location::Metadata => {
                        let fields = BTreeMap::from([(rule.key.clone(), value)]);
                        let fields = Value::Struct(Arc::new(fields));
                        info.metadata.borrow_mut().merge(&rule.namespace, &fields);
                    }
                }
            }
        }
        if !state.is_empty() {
            let object = Rc::new(Tlvs(state));
            let mut state = info.filter_state.borrow_mut();
            state.set(STATE_KEY, LifeSpan::Connection, object);
        }
    }
}

impl Kept {
    /// Keeps what is passed on; where that is nothing, that there was a header.
    fn pass_on(&self, header: &[u8], info: &ConnectionInfo) {
        let passed = tlvs(header).filter(|(kind, _)| self.passed.passes(*kind));
        let passed: Rc<[_]> = passed.map(|(kind, value)| (kind, value.to_vec())).collect();
        let object = Rc::new(PassedTlvs(passed));
        let mut state = info.filter_state.borrow_mut();
        state.set(PassedTlvs::KEY, LifeSpan::Connection, object);
    }
}

impl Encoding {
    fn text(self, value: &[u8]) -> String {
        match self {
            Self::Base64 => base64::encode(value),
            Self::Text => {
                let mut text = String::new();
                for chunk in value.utf8_chunks() {
                    text.push_str(chunk.valid());
                    text.extend(chunk.invalid().iter().map(|_| '!'));
                }
                text
            }
        }
    }
}
