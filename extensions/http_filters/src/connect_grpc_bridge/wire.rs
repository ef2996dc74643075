//! What a service says of an error besides (`grpc-status-details-bin`): a `google.rpc.Status`.

use nuncio_proto::Message;
use nuncio_proto::google::rpc::Status;

/// The details' types, as URLs, with their values; none where it is no status.
pub(super) fn details(status: &[u8]) -> Vec<(String, Vec<u8>)> {
    let status = Status::decode(status).unwrap_or_default();
    let details = status.details.into_iter();
    details.map(|any| (any.type_url, any.value)).collect()
}
