//! Protos to [`SetFilterStateSpec`].

use super::filter::SetFilterStateSpec;
use nuncio_config::filter_state_value::filter_state_values;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::network::set_filter_state::v3 as proto;

/// The extension.
pub struct SetFilterState;

impl NetworkFilterExtension for SetFilterState {
    const NAME: &'static str = "envoy.filters.network.set_filter_state";
    type Proto = proto::Config;
    type Spec = SetFilterStateSpec;

    fn parse(
        &self,
        proto: proto::Config,
        _listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<SetFilterStateSpec> {
        let proto::Config {
            on_new_connection,
            on_downstream_tls_handshake: on_handshake,
            on_downstream_data,
        } = proto;
        let at_start = filter_state_values(cx, "on_new_connection", on_new_connection);
        let on_handshake = filter_state_values(cx, "on_downstream_tls_handshake", on_handshake);
        let on_data = filter_state_values(cx, "on_downstream_data", on_downstream_data);
        Ok(SetFilterStateSpec {
            at_start: [at_start?, on_handshake?],
            on_data: on_data?,
        })
    }
}
