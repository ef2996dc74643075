//! What happens to a response's head before it is sent: `server`, `date`, hop-by-hop headers
//! (Envoy's `ConnectionManagerUtility::mutateResponseHeaders`).

use crate::chain::StreamState;
use crate::conn_manager::local::HcmLocal;
use crate::conn_manager::request::append_via;
use crate::conn_manager::spec::ServerHeader;
use crate::opaque::is_upgrade;
use nuncio_base::{HeaderMap, names};

/// Makes the response's head final.
pub(super) fn finalize(local: &HcmLocal, state: &mut StreamState) {
    let spec = &local.spec;
    let request = &state.request.headers;
    let headers = &mut state.response.headers;
    if !headers.contains(names::DATE) {
        local
            .date
            .with(|date| headers.append(names::DATE, date.at(local.worker.wall())));
    }
    let present = headers.contains(names::SERVER);
    match spec.server_header {
        ServerHeader::Overwrite => headers.set(names::SERVER, spec.server_name.as_bytes()),
        ServerHeader::AppendIfAbsent if !present => {
            headers.append(names::SERVER, spec.server_name.as_bytes());
        }
        ServerHeader::AppendIfAbsent | ServerHeader::PassThrough => {}
    }
    remove_hop_by_hop(request, headers);
    if (spec.request_ids.always_set_in_response || request.contains(names::X_ENVOY_FORCE_TRACE))
        && let Some(id) = request.get(names::X_REQUEST_ID)
    {
        headers.set(names::X_REQUEST_ID, id);
    }
    if !spec.via.is_empty() {
        append_via(headers, &spec.via);
    }
    if let Some(status) = &spec.proxy_status {
        status.apply(state);
    }
}

/// An upgrade's response keeps `connection` and `upgrade`; others lose what concerns one hop only.
fn remove_hop_by_hop(request: &HeaderMap, headers: &mut HeaderMap) {
    if is_upgrade(request) && is_upgrade(headers) {
        let has_body =
            headers.contains(names::TRANSFER_ENCODING) || headers.contains(names::CONTENT_LENGTH);
        let is_1xx = headers
            .get(names::STATUS)
            .is_some_and(|status| status.starts_with(b"1"));
        if !has_body && !is_1xx {
            headers.append(names::CONTENT_LENGTH, b"0");
        }
    } else {
        headers.remove(names::CONNECTION);
        headers.remove(names::UPGRADE);
    }
    headers.remove(names::TRANSFER_ENCODING);
    headers.remove(names::KEEP_ALIVE);
    headers.remove(names::PROXY_CONNECTION);
}
