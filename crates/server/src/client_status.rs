//! How far each dynamic resource is, in the words of Envoy's "Client status discovery service".

use crate::config_dump::timestamp;
use nuncio_extension::ServerEnv;
use nuncio_proto::envoy::admin::v3::{ClientResourceStatus, UpdateFailureState};
use nuncio_proto::envoy::service::status::v3::ClientConfig;
use nuncio_proto::envoy::service::status::v3::client_config::GenericXdsConfig;
use nuncio_xds::Subscriptions;
use std::rc::Rc;

/// Who asks, and the resources by type and name.
pub fn client_config(env: &Rc<ServerEnv>) -> ClientConfig {
    let subscriptions = Subscriptions::of(env);
    let mut resources = Vec::new();
    subscriptions.states().each(|kind, name, state| {
        let status = match (&state.refused, &state.accepted) {
            (Some(_), _) => ClientResourceStatus::Nacked,
            (None, Some(_)) => ClientResourceStatus::Acked,
            (None, None) => ClientResourceStatus::Requested,
        };
        let error_state = state.refused.as_ref().map(|refused| UpdateFailureState {
            details: refused.reason.to_string(),
            version_info: refused.version.to_string(),
            last_update_attempt: Some(timestamp(refused.at)),
            ..Default::default()
        });
        let accepted = state.accepted.as_ref();
        resources.push(GenericXdsConfig {
            type_url: kind.type_url(),
            name: name.to_owned(),
            version_info: accepted.map_or_else(String::new, |(version, _)| version.to_string()),
            last_updated: accepted.map(|(_, at)| timestamp(*at)),
            client_status: status.into(),
            error_state,
            ..Default::default()
        });
    });
    ClientConfig {
        node: Some(subscriptions.node()),
        generic_xds_configs: resources,
        ..Default::default()
    }
}
