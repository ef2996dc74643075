//! A service named by its address instead of a cluster (`google_grpc`): Envoy reaches it through
//! gRPC's own library, we through a cluster that nobody sees. What tells the two kinds of services
//! apart otherwise is here.

use crate::client::GrpcService;
use crate::status::Status;
use nuncio_base::{HeaderMap, HeaderName};
use nuncio_stats::{Group, stat_group};
use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

stat_group! {
    /// `grpc.STAT_PREFIX.`
    pub struct GoogleGrpcStats {
        counters {
            streams_closed_0,
            streams_closed_1,
            streams_closed_2,
            streams_closed_3,
            streams_closed_4,
            streams_closed_5,
            streams_closed_6,
            streams_closed_7,
            streams_closed_8,
            streams_closed_9,
            streams_closed_10,
            streams_closed_11,
            streams_closed_12,
            streams_closed_13,
            streams_closed_14,
            streams_closed_15,
            streams_closed_16,
            google_grpc_client_creation,
            streams_total,
        }
    }
}

impl GoogleGrpcStats {
    /// Counts a call that ended with this code; there is none for codes that gRPC does not have.
    pub(crate) fn closed(&self, code: u32) {
        let counter = match code {
            0 => self.streams_closed_0(),
            1 => self.streams_closed_1(),
            2 => self.streams_closed_2(),
            3 => self.streams_closed_3(),
            4 => self.streams_closed_4(),
            5 => self.streams_closed_5(),
            6 => self.streams_closed_6(),
            7 => self.streams_closed_7(),
            8 => self.streams_closed_8(),
            9 => self.streams_closed_9(),
            10 => self.streams_closed_10(),
            11 => self.streams_closed_11(),
            12 => self.streams_closed_12(),
            13 => self.streams_closed_13(),
            14 => self.streams_closed_14(),
            15 => self.streams_closed_15(),
            16 => self.streams_closed_16(),
            _ => return,
        };
        counter.inc();
    }
}

/// What a service that is named by its address has of its own.
#[derive(Clone)]
pub struct GoogleGrpc {
    /// The address as configured, for logs.
    pub target: String,
    /// Whether calls go over TLS.
    pub secure: bool,
    /// What each call brings along to show who asks.
    pub credentials: Vec<CallCredentials>,
    /// What is counted.
    pub stats: Group<GoogleGrpcStats>,
    /// What stats are below, to tell services apart.
    pub stat_prefix: String,
}

impl PartialEq for GoogleGrpc {
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target
            && self.secure == other.secure
            && self.stat_prefix == other.stat_prefix
            && self.credentials == other.credentials
    }
}

impl fmt::Debug for GoogleGrpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("GoogleGrpc");
        shown
            .field("target", &self.target)
            .field("stat_prefix", &self.stat_prefix)
            .finish_non_exhaustive()
    }
}

/// A header that shows who asks.
#[derive(Clone, Debug, PartialEq)]
pub struct CallCredentials {
    /// Its name.
    pub name: HeaderName,
    /// What stands before the token.
    pub prefix: String,
    /// The token.
    pub token: Token,
}

/// Where a token comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// It never changes.
    Fixed(Vec<u8>),
    /// A file, which somebody may replace.
    File(PathBuf),
}

/// What one worker keeps of a service.
pub(crate) struct LocalGoogleGrpc {
    service: Arc<GrpcService>,
    pub(crate) stats: GoogleGrpcStats,
    /// What was read of files last, one for each of the credentials.
    read: Vec<RefCell<Option<(Instant, Vec<u8>)>>>,
}

/// How long what was read is good for. Envoy reads a file for every call; here calls may be many,
/// and wait for nothing.
const FRESH: Duration = Duration::from_secs(1);

/// What is read of a file at most, in bytes: tokens go into a header.
const LONGEST: u64 = 64 << 10;

impl LocalGoogleGrpc {
    /// The service on the calling worker, where it is one of these.
    pub fn new(service: &Arc<GrpcService>) -> Option<Rc<Self>> {
        let google = service.google.as_ref()?;
        let stats = google.stats.local();
        stats.google_grpc_client_creation().inc();
        Some(Rc::new(Self {
            service: Arc::clone(service),
            stats,
            read: google
                .credentials
                .iter()
                .map(|_| RefCell::default())
                .collect(),
        }))
    }

    /// Adds what shows who asks.
    ///
    /// # Errors
    /// A file that can't be read, as the status of the call.
    pub fn identify(&self, head: &mut HeaderMap, now: Instant) -> Result<(), Status> {
        let credentials = self.service.google.as_ref();
        let credentials = credentials.map_or(&[][..], |google| &google.credentials);
        for (one, read) in credentials.iter().zip(&self.read) {
            let token = match &one.token {
                Token::Fixed(token) => token.clone(),
                Token::File(path) => fresh(path, read, now).map_err(|error| {
                    let message = format!(
                        "Getting metadata from plugin failed with error: Invalid path: {}: {error}",
                        path.display()
                    );
                    Status::new(Status::UNAVAILABLE, message)
                })?,
            };
            head.append(&one.name, &[one.prefix.as_bytes(), &token].concat());
        }
        Ok(())
    }
}

/// What a file holds, as of no more than a second ago.
fn fresh(
    path: &Path,
    read: &RefCell<Option<(Instant, Vec<u8>)>>,
    now: Instant,
) -> std::io::Result<Vec<u8>> {
    let mut last = read.borrow_mut();
    if let Some((at, token)) = &*last
        && now.saturating_duration_since(*at) < FRESH
    {
        return Ok(token.clone());
    }
    let mut token = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut token)?;
    token.truncate(token.trim_ascii_end().len());
    if token.iter().any(u8::is_ascii_control) {
        return Err(std::io::Error::other("it can't stand in a header"));
    }
    *last = Some((now, token.clone()));
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_base::names;
    use nuncio_base::time::monotonic;
    use nuncio_stats::Store;

    #[test]
    fn tokens() {
        let path = std::env::temp_dir().join(format!("nuncio-token-{}", std::process::id()));
        let credentials = |token| CallCredentials {
            name: names::AUTHORIZATION.into(),
            prefix: "Bearer ".to_owned(),
            token,
        };
        let store = Store::default();
        let mut service = GrpcService::new("c");
        service.google = Some(GoogleGrpc {
            target: "a:1".to_owned(),
            secure: true,
            credentials: vec![
                credentials(Token::Fixed(b"fixed".to_vec())),
                credentials(Token::File(path.clone())),
            ],
            stats: store.scope("grpc.a").group(),
            stat_prefix: "a".to_owned(),
        });
        let local = LocalGoogleGrpc::new(&Arc::new(service)).unwrap();
        let start = monotonic();
        let said = |now| {
            let mut head = HeaderMap::new();
            let done = local.identify(&mut head, now).map_err(|status| status.code);
            done.map(|()| {
                let values = head.iter().map(|(_, value)| String::from_utf8_lossy(value));
                values.collect::<Vec<_>>().join(", ")
            })
        };
        assert_eq!(said(start), Err(Status::UNAVAILABLE));
        std::fs::write(&path, "o\nne").unwrap();
        assert_eq!(said(start), Err(Status::UNAVAILABLE));
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(said(start).unwrap(), "Bearer fixed, Bearer one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(said(start).unwrap(), "Bearer fixed, Bearer one");
        assert_eq!(said(start + FRESH).unwrap(), "Bearer fixed, Bearer two");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            store.counter_value("grpc.a.google_grpc_client_creation"),
            Some(1)
        );
    }
}
