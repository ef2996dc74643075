//! Secrets of the bootstrap, by name (`static_resources.secrets`).

use nuncio_extension::{ParseCx, Parsed, ServerEnv};
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3 as proto;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use std::cell::RefCell;
use std::collections::HashMap;

/// All static secrets; what refers to one takes it from here when it is configured.
#[derive(Default)]
struct StaticSecrets(RefCell<HashMap<String, Type>>);

/// Makes the bootstrap's secrets known.
pub fn set_static_secrets(env: &ServerEnv, secrets: &[proto::Secret]) {
    let known = env.shared(StaticSecrets::default);
    let by_name = secrets.iter().filter_map(|secret| {
        let kind = secret.r#type.clone()?;
        Some((secret.name.clone(), kind))
    });
    *known.0.borrow_mut() = by_name.collect();
}

/// The static secret that `config` names; `pick` takes the kind that is wanted out of it.
///
/// # Errors
/// An unknown name, and discovery, which is not built.
pub fn static_secret<T>(
    cx: &mut ParseCx,
    config: &proto::SdsSecretConfig,
    pick: impl FnOnce(Type) -> Option<T>,
) -> Parsed<T> {
    if config.sds_config.is_some() {
        return Err(cx.not_built("sds_config"));
    }
    let known = cx.env().shared(StaticSecrets::default);
    let secret = known.0.borrow().get(&config.name).cloned();
    let picked = secret.and_then(pick);
    picked.ok_or_else(|| {
        let message = format!("Unknown static secret: {}", config.name);
        cx.error(message)
    })
}
