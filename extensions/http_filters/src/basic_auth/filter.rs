//! The filter on one stream.

use super::users::Users;
use nuncio_base::metadata::Value;
use nuncio_base::{HeaderMap, HeaderName, base64, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter, LocalReply};
use nuncio_stats::{Group, stat_group};
use nuncio_worker::Worker;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// How much of a request's URI the challenge repeats at most, in bytes.
const REALM_BYTES: usize = 256;

stat_group! {
    /// `http.<stat_prefix>.basic_auth.*`
    pub struct BasicAuthStats {
        counters { allowed, denied }
    }
}

/// The filter's settings.
pub struct Settings {
    /// The users.
    pub users: Users,
    /// The header that gets the user's name.
    pub forward_to: Option<HeaderName>,
    /// The header with the credentials instead of `authorization`.
    pub header: Option<HeaderName>,
    /// Whether requests without credentials pass.
    pub allow_missing: bool,
    /// Whether the user's name becomes dynamic metadata.
    pub emit_metadata: bool,
}

/// The filter's configuration.
pub struct BasicAuthSpec {
    /// The settings.
    pub settings: Arc<Settings>,
    /// What is counted.
    pub stats: Group<BasicAuthStats>,
}

/// The filter's configuration at a route: other users.
pub struct BasicAuthRouteSpec(pub Users);

impl HttpFilterSpec for BasicAuthSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(LocalBasicAuth {
            settings: Arc::clone(&self.settings),
            stats: self.stats.local(),
        })))
    }
}

struct LocalBasicAuth {
    settings: Arc<Settings>,
    stats: BasicAuthStats,
}

impl HttpFilterFactory for LocalBasicAuth {
    type Filter = BasicAuthFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS
    }

    fn create(self: &Rc<Self>) -> BasicAuthFilter {
        BasicAuthFilter(Rc::clone(self))
    }
}

/// The filter.
pub struct BasicAuthFilter(Rc<LocalBasicAuth>);

/// Why a request does not pass.
enum Denied {
    Missing,
    Scheme,
    Format,
    Credential,
}

impl Denied {
    fn texts(&self) -> (&'static str, &'static str) {
        match self {
            Self::Missing => (
                "User authentication failed. Missing username and password.",
                "no_credential_for_basic_auth",
            ),
            Self::Scheme => (
                "User authentication failed. Expected 'Basic' authentication scheme.",
                "invalid_scheme_for_basic_auth",
            ),
            Self::Format => (
                "User authentication failed. Invalid basic credential format.",
                "invalid_format_for_basic_auth",
            ),
            Self::Credential => (
                "User authentication failed. Invalid username/password combination.",
                "invalid_credential_for_basic_auth",
            ),
        }
    }
}

impl HttpFilter for BasicAuthFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let LocalBasicAuth { settings, stats } = &*self.0;
        let of_route = cx.route_spec::<BasicAuthRouteSpec>();
        let users = of_route.as_ref().map_or(&settings.users, |it| &it.0);
        let headers = cx.request_headers_ref();
        let credentials = match &settings.header {
            Some(header) => headers.get(header),
            None => headers.get(names::AUTHORIZATION),
        };
        let denied = match credentials {
            None if settings.allow_missing => {
                stats.allowed().inc();
                return HeadersStatus::Continue;
            }
            None => Denied::Missing,
            Some(credentials) => match user(credentials, users) {
                Ok(name) => {
                    stats.allowed().inc();
                    settings.accept(cx, &name);
                    return HeadersStatus::Continue;
                }
                Err(denied) => denied,
            },
        };
        stats.denied().inc();
        let (body, details) = denied.texts();
        let challenge = challenge(headers);
        let reply = LocalReply::new(401, body, details);
        let name = HeaderName::new("www-authenticate");
        cx.local_reply(reply.header(name, challenge));
        HeadersStatus::StopIteration
    }
}

impl Settings {
    fn accept(&self, cx: &mut Cx<'_>, name: &[u8]) {
        if let Some(header) = &self.forward_to {
            cx.request_headers().set(header, name);
        }
        if self.emit_metadata {
            let name = Value::Text(String::from_utf8_lossy(name).into());
            let fields = BTreeMap::from([("username".to_owned(), name)]);
            let filter = <super::BasicAuth as nuncio_extension::HttpFilterExtension>::NAME;
            let fields = Value::Struct(Arc::new(fields));
            cx.info().metadata.merge(filter, &fields);
        }
    }
}

/// The user whose credentials these are.
fn user(credentials: &[u8], users: &Users) -> Result<Vec<u8>, Denied> {
    let encoded = credentials.strip_prefix(b"Basic ").ok_or(Denied::Scheme)?;
    let mut name = base64::decode(encoded).ok_or(Denied::Format)?;
    let colon = name.iter().position(|byte| *byte == b':');
    let password = name.split_off(colon.ok_or(Denied::Format)?);
    match users.accept(&name, &password[1..]) {
        true => Ok(name),
        false => Err(Denied::Credential),
    }
}

fn challenge(headers: &HeaderMap) -> Vec<u8> {
    let get = |name| headers.get(name).unwrap_or_default();
    let (scheme, authority) = (get(names::SCHEME), get(names::AUTHORITY));
    let path = get(names::PATH);
    let path = &path[..path.len().min(REALM_BYTES)];
    // A quote would end the realm.
    let uri = [scheme, b"://", authority, path].concat();
    let uri = uri.into_iter().filter(|byte| *byte != b'"');
    let mut challenge = b"Basic realm=\"".to_vec();
    challenge.extend(uri);
    challenge.push(b'"');
    challenge
}
