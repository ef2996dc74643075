//! What the unified matcher asks of requests, responses and connections (Envoy's "Matching API",
//! its data inputs).

use crate::facts::Facts;
use nuncio_base::address::Address;
use nuncio_base::metadata::Value;
use nuncio_base::{HeaderMap, HeaderName};
use nuncio_matching::query::{decoded, first_value};
use nuncio_stream_info::SanKind;
use std::borrow::Cow;
use std::net::IpAddr;

/// A data input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A request header; several of the name are one, joined by commas.
    RequestHeader(HeaderName),
    /// A response header, likewise.
    ResponseHeader(HeaderName),
    /// The first query parameter of this name, decoded.
    QueryParameter(Box<str>),
    /// The response's status.
    StatusCode,
    /// The class of the response's status, as `2xx`.
    StatusCodeClass,
    /// The IP address that the peer connected to.
    DestinationIp,
    /// Its port.
    DestinationPort,
    /// The peer's IP address.
    SourceIp,
    /// The peer's port.
    SourcePort,
    /// The IP address of the socket's peer.
    DirectSourceIp,
    /// `local` for a peer on this host.
    SourceType,
    /// The file of the network namespace that the connection came from, where that is another.
    NetworkNamespace,
    /// SNI.
    ServerName,
    /// `tls` where the client spoke it.
    TransportProtocol,
    /// Protocols that the client offered, quoted and joined by commas.
    ApplicationProtocol,
    /// Filter state, as text: an object or a field of it.
    FilterState {
        /// The object's name.
        key: Box<str>,
        /// The field, empty for the object itself.
        field: Box<str>,
    },
    /// A value of dynamic metadata that is text.
    Metadata {
        /// The filter whose it is.
        filter: Box<str>,
        /// The path below.
        path: Box<[Box<str>]>,
    },
    /// The URIs among the names of the peer's certificate, joined by commas.
    UriSan,
    /// The host names among them.
    DnsSan,
    /// The certificate's subject.
    Subject,
}

impl Input {
    /// What the input gives; `None` where there is nothing.
    pub fn ask<'a>(&self, facts: &Facts<'a>) -> Option<Cow<'a, [u8]>> {
        let connection = facts.connection;
        match self {
            Self::RequestHeader(name) => joined(facts.request_headers?, name),
            Self::ResponseHeader(name) => joined(facts.response_headers?, name),
            Self::QueryParameter(name) => {
                let path = facts.request_headers?.get(":path")?;
                first_value(path, name.as_bytes()).map(decoded)
            }
            Self::StatusCode => facts.response_headers?.get(":status").map(Cow::Borrowed),
            Self::StatusCodeClass => {
                let class = facts.response_headers?.get(":status")?.first()?;
                Some(Cow::Owned(vec![*class, b'x', b'x']))
            }
            Self::DestinationIp => text(facts.local_ip()?.ip()),
            Self::DestinationPort => text(facts.local_ip()?.port()),
            Self::SourceIp => text(facts.remote_address().ip()?.ip()),
            Self::SourcePort => text(facts.remote_address().ip()?.port()),
            Self::DirectSourceIp => text(connection.direct_remote_address().ip()?.ip()),
            Self::SourceType => is_local(facts).then_some(Cow::Borrowed(b"local")),
            Self::NetworkNamespace => {
                let path = connection.listener.as_ref()?.network_namespace.as_deref()?;
                Some(Cow::Borrowed(path.as_bytes()))
            }
            Self::ServerName => {
                let name = connection.requested_server_name.as_deref()?;
                Some(Cow::Borrowed(name.as_bytes())).filter(|name| !name.is_empty())
            }
            Self::TransportProtocol => {
                let tls = connection.tls.is_some();
                Some(Cow::Borrowed(if tls { b"tls" } else { b"raw_buffer" }))
            }
            Self::ApplicationProtocol => {
                let protocols = connection.requested_application_protocols.iter();
                let quoted = protocols.map(|name| format!("'{}'", String::from_utf8_lossy(name)));
                all(quoted)
            }
            Self::FilterState { key, field } => {
                let object = facts.filter_state(key)?;
                let text = match &**field {
                    "" => object.as_text()?,
                    field => object.field(field)?,
                };
                Some(Cow::Owned(text.into_bytes()))
            }
            Self::Metadata { filter, path } => {
                let path = path.iter().map(|name| &**name);
                match facts.metadata.get(filter)?.at(path)? {
                    Value::Text(text) => Some(Cow::Owned(text.as_bytes().to_vec())),
                    _ => None,
                }
            }
            Self::UriSan => sans(facts, SanKind::Uri),
            Self::DnsSan => sans(facts, SanKind::Dns),
            Self::Subject => {
                let certificate = connection.tls.as_ref()?.peer_certificate()?;
                Some(Cow::Borrowed(certificate.subject.as_bytes()))
            }
        }
    }
}

/// All values of a header, joined by commas.
fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut values = headers.get_all(name);
    let first = values.next()?;
    Some(values.fold(Cow::Borrowed(first), |joined, value| {
        let mut joined = joined.into_owned();
        joined.push(b',');
        joined.extend_from_slice(value);
        Cow::Owned(joined)
    }))
}

fn text<'a>(value: impl ToString) -> Option<Cow<'a, [u8]>> {
    Some(Cow::Owned(value.to_string().into_bytes()))
}

fn all<'a>(texts: impl Iterator<Item = String>) -> Option<Cow<'a, [u8]>> {
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then(|| Cow::Owned(texts.join(",").into_bytes()))
}

fn sans<'a>(facts: &Facts<'a>, kind: SanKind) -> Option<Cow<'a, [u8]>> {
    let certificate = facts.connection.tls.as_ref()?.peer_certificate()?;
    all(certificate.sans_of(kind).map(str::to_owned))
}

fn is_local(facts: &Facts<'_>) -> bool {
    let remote = match facts.remote_address() {
        Address::Ip(remote) => remote.ip(),
        Address::Pipe(_) => return true,
        Address::Internal(_) => return false,
    };
    let loopback = match remote {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback(),
    };
    loopback || facts.local_ip().map(|local| local.ip()) == Some(remote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_base::metadata::Metadata;
    use nuncio_base::time;
    use nuncio_stream_info::filter_state::{LifeSpan, Text};
    use nuncio_stream_info::{ConnectionInfo, StreamInfo, Timings};
    use std::rc::Rc;

    #[test]
    fn inputs_of_a_request() {
        let address = |text: &str| Address::Ip(text.parse().unwrap());
        let (now, wall) = (time::monotonic(), time::wall());
        let (local, remote) = (address("10.0.0.1:80"), address("10.0.0.2:5000"));
        let mut connection = ConnectionInfo::new(1, local, remote, (now, wall));
        connection.requested_server_name = Some("a.test".into());
        connection.requested_application_protocols = [b"h2".to_vec(), b"http/1.1".to_vec()].into();
        let key = Rc::new(Text("state".to_owned()));
        let state = &connection.filter_state;
        state.borrow_mut().set("key", LifeSpan::Connection, key);
        let mut stream = StreamInfo::new(Rc::new(connection), Timings::new(wall, now));
        stream.remote_address = Some(address("9.9.9.9:0"));
        let mut metadata = Metadata::default();
        let fields = [("a".to_owned(), Value::Text("deep".into()))].into();
        metadata.set("f", Value::Struct(std::sync::Arc::new(fields)));
        stream.metadata = metadata;
        let pairs = [
            (":path", "/x?b=1&a=%41%4&a=2"),
            ("x-many", "1"),
            ("x-many", "2"),
        ];
        let headers: HeaderMap = pairs.into_iter().collect();
        let response: HeaderMap = [(":status", "404")].into_iter().collect();
        let facts = Facts {
            response_headers: Some(&response),
            ..Facts::of_request(&headers, &stream)
        };
        let state = |key: &str| Input::FilterState {
            key: key.into(),
            field: "".into(),
        };
        for (input, expected) in [
            (Input::RequestHeader(HeaderName::new("x-many")), Some("1,2")),
            (Input::RequestHeader(HeaderName::new("x-none")), None),
            (Input::QueryParameter("a".into()), Some("A%4")),
            (Input::QueryParameter("c".into()), None),
            (Input::StatusCode, Some("404")),
            (Input::StatusCodeClass, Some("4xx")),
            (Input::DestinationIp, Some("10.0.0.1")),
            (Input::DestinationPort, Some("80")),
            (Input::SourceIp, Some("9.9.9.9")),
            (Input::DirectSourceIp, Some("10.0.0.2")),
            (Input::SourceType, None),
            (Input::ServerName, Some("a.test")),
            (Input::TransportProtocol, Some("raw_buffer")),
            (Input::ApplicationProtocol, Some("'h2','http/1.1'")),
            (state("key"), Some("state")),
            (state("none"), None),
            (
                Input::Metadata {
                    filter: "f".into(),
                    path: ["a".into()].into(),
                },
                Some("deep"),
            ),
            (Input::UriSan, None),
            (Input::Subject, None),
        ] {
            let given = input.ask(&facts);
            let shown = given.as_deref().map(String::from_utf8_lossy);
            assert_eq!(shown.as_deref(), expected, "{input:?}");
        }
    }
}
