//! What a connection asks of the host that it goes to.

use nuncio_base::HeaderMap;
use nuncio_base::metadata::{Fields, Value};
use nuncio_route::hash_policy::HashPolicy;
use nuncio_route::request_hash::request_hash;
use nuncio_stream_info::StreamInfo;
use nuncio_upstream::LbRequest;
use std::borrow::Cow;

/// What a balancer may ask of a connection.
pub(super) struct HostRequest<'a> {
    pub info: &'a StreamInfo,
    pub hash_policies: &'a [HashPolicy],
    /// What is asked of hosts' metadata; dynamic metadata of the connection goes on top.
    pub metadata_match: Option<&'a Fields>,
}

impl LbRequest for HostRequest<'_> {
    fn hash(&self) -> Option<u64> {
        request_hash(
            self.hash_policies,
            &HeaderMap::default(),
            self.info,
            &mut |_| {},
        )
    }

    fn stream_info(&self) -> Option<&StreamInfo> {
        Some(self.info)
    }

    fn metadata_match(&self) -> Option<Cow<'_, Fields>> {
        let metadata = self.info.connection.metadata.borrow();
        let Some(Value::Struct(dynamic)) = metadata.get("envoy.lb") else {
            return self.metadata_match.map(Cow::Borrowed);
        };
        let mut merged = self.metadata_match.cloned().unwrap_or_default();
        let fields = dynamic.iter();
        merged.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
        Some(Cow::Owned(merged))
    }
}
