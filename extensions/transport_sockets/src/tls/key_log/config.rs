//! `TlsKeyLog`.

use super::KeyLogFile;
use nuncio_config::matching::cidr_range;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_matching::CidrList;
use nuncio_observe::access_log::{AccessLogManager, Destination, FlushSettings};
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::TlsKeyLog;
use std::sync::Arc;

/// Converts a key log, whose file is opened here if nobody has it open.
///
/// # Errors
/// A file that can't be opened, in Envoy's words; ranges that are none.
pub fn key_log(cx: &mut ParseCx, proto: TlsKeyLog) -> Parsed<Arc<KeyLogFile>> {
    let TlsKeyLog {
        path,
        local_address_range,
        remote_address_range,
    } = proto;
    let local = cx.list("local_address_range", local_address_range, cidr_range);
    let remote = cx.list("remote_address_range", remote_address_range, cidr_range);
    let store = cx.env().store.clone();
    let files = cx
        .env()
        .shared(|| AccessLogManager::new(FlushSettings::default(), &store));
    let file = files.file(&Destination::Path(path.into()));
    let file = file.map_err(|error| cx.error(error))?;
    cx.warn("the secrets of connections are logged: whoever reads the file can read all they say");
    Ok(Arc::new(KeyLogFile {
        file: file.shared(),
        local: CidrList::new(local?),
        remote: CidrList::new(remote?),
    }))
}
