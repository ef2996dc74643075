//! What makes contexts anew: `SdsSecretConfig`s with a source.

use super::ContextSource;
use crate::tls::stats::ContextStats;
use nuncio_config::eds::refusal;
use nuncio_config::sds::{SecretProvider, SecretUser, keep};
use nuncio_config::secret::SecretKind;
use nuncio_extension::{ParseCx, Parsed, ServerEnv};
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, SdsSecretConfig, Secret, common_tls_context::ValidationContextType,
};
use nuncio_worker::Published;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// What makes a context of the secrets as they are.
type Make<C> = Box<dyn Fn(&mut ParseCx) -> Parsed<C>>;

impl<C: Send + Sync + 'static> ContextSource<C> {
    /// The context that `make` makes, of which `secrets` are a part.
    ///
    /// # Errors
    /// Recorded in `cx`.
    pub fn new(
        cx: &mut ParseCx,
        secrets: &[(SecretKind, SdsSecretConfig)],
        stats: &Arc<ContextStats>,
        make: Make<C>,
    ) -> Parsed<Self> {
        let dynamic = secrets
            .iter()
            .filter(|(_, config)| config.sds_config.is_some());
        let providers: Parsed<Vec<_>> = dynamic
            .map(|(kind, config)| SecretProvider::of(cx, *kind, config))
            .collect();
        let providers = providers?;
        if providers.is_empty() {
            return Ok(Self::Fixed(Arc::new(make(cx)?)));
        }
        let mut workers = cx.env().workers.clone();
        workers.extend(cx.env().main().map(|main| main.handle().clone()));
        let contexts = Published::new(Arc::new(None), workers);
        let renewal = Rc::new(Renewal {
            env: Rc::downgrade(cx.env()),
            providers,
            make,
            contexts: contexts.clone(),
            stats: Arc::clone(stats),
        });
        let user: Rc<dyn SecretUser> = renewal.clone();
        for provider in &renewal.providers {
            provider.add_user(Rc::downgrade(&user));
        }
        match renewal.prepare() {
            Ok(prepared) => prepared.into_iter().for_each(|apply| apply()),
            Err(error) => return Err(cx.error(error)),
        }
        Ok(Self::Renewed {
            contexts,
            renewal: keep(cx.env(), renewal),
        })
    }
}

struct Renewal<C> {
    env: Weak<ServerEnv>,
    providers: Vec<Rc<SecretProvider>>,
    make: Make<C>,
    contexts: Published<Option<Arc<C>>>,
    stats: Arc<ContextStats>,
}

impl<C: Send + Sync + 'static> SecretUser for Renewal<C> {
    fn prepare(&self) -> Result<Option<Box<dyn FnOnce()>>, String> {
        let Some(env) = self.env.upgrade() else {
            return Ok(None);
        };
        if self.providers.iter().any(|own| own.delivered().is_none()) {
            return Ok(None);
        }
        let mut cx = ParseCx::new(env);
        match (self.make)(&mut cx) {
            Ok(context) if cx.is_clean() => {
                let (contexts, stats) = (self.contexts.clone(), Arc::clone(&self.stats));
                Ok(Some(Box::new(move || {
                    contexts.publish(Arc::new(Some(Arc::new(context))));
                    stats.count_update_by_sds();
                })))
            }
            _ => Err(refusal::<Secret>(cx)),
        }
    }
}

/// The secrets that a context names.
pub fn secrets_of(common: &CommonTlsContext) -> Vec<(SecretKind, SdsSecretConfig)> {
    let certificates = common.tls_certificate_sds_secret_configs.iter();
    let certificates = certificates.map(|config| (SecretKind::TlsCertificate, config.clone()));
    let context = match &common.validation_context_type {
        Some(ValidationContextType::ValidationContextSdsSecretConfig(config)) => Some(config),
        Some(ValidationContextType::CombinedValidationContext(combined)) => {
            combined.validation_context_sds_secret_config.as_ref()
        }
        _ => None,
    };
    let context = context.map(|config| (SecretKind::ValidationContext, config.clone()));
    certificates.chain(context).collect()
}
