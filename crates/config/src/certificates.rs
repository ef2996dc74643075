//! The certificates in use, for the admin's `/certs` and `server.days_until_first_cert_expiring`.

use nuncio_base::time::since_epoch;
use nuncio_extension::ServerEnv;
use nuncio_proto::envoy::admin::v3 as proto;
use nuncio_proto::envoy::admin::v3::subject_alternate_name::Name;
use nuncio_proto::google::protobuf::Timestamp;
use nuncio_stream_info::{CertificateInfo, SanKind};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

/// A day.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate, and where it came from.
#[derive(Clone, Debug)]
pub struct LoadedCertificate {
    /// The file's path, if it is from a file.
    pub path: String,
    /// What it says.
    pub info: Arc<CertificateInfo>,
}

/// The certificates of one TLS context.
#[derive(Clone, Debug, Default)]
pub struct ContextCertificates {
    /// The authorities that peers' certificates are held against, the first of each file.
    pub authorities: Vec<LoadedCertificate>,
    /// Those that are shown to peers.
    pub own: Vec<LoadedCertificate>,
}

/// The certificates of all contexts in use; one for the process, on main.
#[derive(Default)]
pub struct CertificatesInUse(RefCell<Vec<Weak<ContextCertificates>>>);

impl CertificatesInUse {
    /// The process's certificates.
    pub fn of(env: &ServerEnv) -> Rc<Self> {
        env.shared(Self::default)
    }

    /// Adds a context's, for as long as they are held.
    pub fn add(&self, certificates: &Arc<ContextCertificates>) {
        let mut all = self.0.borrow_mut();
        // Looked through when it is full only, so that many contexts are added in little time.
        if all.len() == all.capacity() {
            all.retain(|context| context.strong_count() > 0);
        }
        all.push(Arc::downgrade(certificates));
    }

    fn in_use(&self) -> Vec<Arc<ContextCertificates>> {
        self.0.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// As `/certs` shows them.
    pub fn to_proto(&self, now: SystemTime) -> proto::Certificates {
        let details = |certificate: &LoadedCertificate| details(certificate, now);
        let contexts = self.in_use();
        let certificates = contexts.iter().map(|context| proto::Certificate {
            ca_cert: context.authorities.iter().map(details).collect(),
            cert_chain: context.own.iter().map(details).collect(),
        });
        proto::Certificates {
            certificates: certificates.collect(),
        }
    }

    /// How many days are left until the first of them expires: 0 where one has, `None` where there
    /// are none.
    pub fn days_until_first_expiring(&self, now: SystemTime) -> Option<u64> {
        let contexts = self.in_use();
        let all = contexts
            .iter()
            .flat_map(|context| context.authorities.iter().chain(&context.own));
        all.map(|certificate| days_until(certificate.info.expires, now))
            .min()
    }
}

fn days_until(time: SystemTime, now: SystemTime) -> u64 {
    let left = time.duration_since(now).unwrap_or_default();
    left.as_secs() / DAY.as_secs()
}

fn details(certificate: &LoadedCertificate, now: SystemTime) -> proto::CertificateDetails {
    let info = &certificate.info;
    let names = |kind: SanKind, name: fn(String) -> Name| {
        let values = info.sans_of(kind).map(str::to_owned);
        values.map(move |value| proto::SubjectAlternateName {
            name: Some(name(value)),
        })
    };
    proto::CertificateDetails {
        path: certificate.path.clone(),
        serial_number: info.serial.clone(),
        subject_alt_names: names(SanKind::Dns, Name::Dns)
            .chain(names(SanKind::Uri, Name::Uri))
            .chain(names(SanKind::Ip, Name::IpAddress))
            .collect(),
        days_until_expiration: days_until(info.expires, now),
        valid_from: Some(timestamp(info.valid_from)),
        expiration_time: Some(timestamp(info.expires)),
        ocsp_details: None,
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp {
        seconds: i64::try_from(since_epoch(time).as_secs()).unwrap_or(i64::MAX),
        nanos: 0,
    }
}
