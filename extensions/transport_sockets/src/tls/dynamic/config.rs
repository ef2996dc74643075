//! What makes contexts anew: `SdsSecretConfig`s with a source, and `watched_directory`, which is
//! heeded in certificates that are no secrets over SDS too.

use super::ContextSource;
use crate::tls::stats::ContextStats;
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_config::eds::refusal;
use nuncio_config::sds::{
    FileWatch, SecretProvider, SecretUser, keep, watch_directories, watched_directory,
};
use nuncio_config::secret::{SecretKind, SecretManager};
use nuncio_extension::{ParseCx, Parsed, ServerEnv};
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, SdsSecretConfig, Secret, common_tls_context::ValidationContextType,
    secret::Type,
};
use nuncio_worker::Published;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// What makes a context of the secrets as they are.
type Make<C> = Box<dyn Fn(&mut ParseCx) -> Parsed<C>>;

/// What a context is made of that changes while it is used.
pub struct Changing {
    /// The secrets that it names.
    pub secrets: Vec<(SecretKind, SdsSecretConfig)>,
    /// Where files of its own are renamed to (`watched_directory`).
    directories: BTreeSet<PathBuf>,
}

impl<C: Send + Sync + 'static> ContextSource<C> {
    /// The context that `make` makes, of which `changing` is a part.
    ///
    /// # Errors
    /// Recorded in `cx`.
    pub fn new(
        cx: &mut ParseCx,
        changing: &Changing,
        stats: &Arc<ContextStats>,
        make: Make<C>,
    ) -> Parsed<Self> {
        let secrets = changing.secrets.iter();
        let dynamic = secrets.filter(|(_, config)| config.sds_config.is_some());
        let providers: Parsed<Vec<_>> = dynamic
            .map(|(kind, config)| SecretProvider::of(cx, *kind, config))
            .collect();
        let providers = providers?;
        let is_watched = !changing.directories.is_empty() && cx.env().main().is_some();
        if providers.is_empty() && !is_watched {
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
            watches: OnceCell::new(),
        });
        // Watched before anything is read, so that no change falls in between.
        renewal.watch(cx, &changing.directories);
        let user: Rc<dyn SecretUser> = renewal.clone();
        for provider in &renewal.providers {
            provider.add_user(Rc::downgrade(&user));
        }
        if renewal.providers.is_empty() {
            let first = (renewal.make)(cx)?;
            renewal.publish(first);
        } else {
            let is_first = renewal
                .providers
                .iter()
                .all(|own| own.delivered().is_some());
            if is_first {
                let prepared = renewal.prepare().map_err(|error| cx.error(error))?;
                prepared.into_iter().for_each(|apply| apply());
            }
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
    watches: OnceCell<Vec<FileWatch>>,
}

impl<C: Send + Sync + 'static> Renewal<C> {
    /// Has the context made anew when something is renamed into one of these. As Envoy does not
    /// look at them at all, one that can't be watched is no reason not to serve.
    fn watch(self: &Rc<Self>, cx: &mut ParseCx, directories: &BTreeSet<PathBuf>) {
        let own = Rc::downgrade(self);
        let watches = watch_directories(cx.env(), directories, move || {
            if let Some(own) = own.upgrade() {
                own.files_changed();
            }
        });
        match watches {
            // It is set here alone.
            Ok(watches) => drop(self.watches.set(watches)),
            Err(error) => cx.warn(format!("certificates are not read anew: {error}")),
        }
    }

    fn files_changed(&self) {
        match self.prepare() {
            Ok(prepared) => prepared.into_iter().for_each(|apply| apply()),
            Err(error) => {
                log!(
                    logger::CONFIG,
                    Level::Warning,
                    "Failed to reload certificates: {error}"
                );
            }
        }
    }

    fn publish(&self, context: C) {
        self.contexts.publish(Arc::new(Some(Arc::new(context))));
    }
}

impl<C: Send + Sync + 'static> SecretUser for Renewal<C> {
    fn prepare(&self) -> Result<Option<Box<dyn FnOnce()>>, String> {
        let Some(env) = self.env.upgrade() else {
            return Ok(None);
        };
        if self.providers.iter().any(|own| own.delivered().is_none()) {
            // It is an update all the same, to Envoy.
            let stats = Arc::clone(&self.stats);
            return Ok(Some(Box::new(move || stats.count_update_by_sds())));
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

impl Changing {
    /// What changes of these parts of a context.
    pub fn of(env: &ServerEnv, common: &CommonTlsContext) -> Self {
        let certificates = common.tls_certificate_sds_secret_configs.iter();
        let certificates = certificates.map(|config| (SecretKind::TlsCertificate, config.clone()));
        let (own, named) = match &common.validation_context_type {
            Some(ValidationContextType::ValidationContext(context)) => (Some(context), None),
            Some(ValidationContextType::ValidationContextSdsSecretConfig(config)) => {
                (None, Some(config))
            }
            Some(ValidationContextType::CombinedValidationContext(combined)) => (
                combined.default_validation_context.as_ref(),
                combined.validation_context_sds_secret_config.as_ref(),
            ),
            _ => (None, None),
        };
        let named = named.map(|config| (SecretKind::ValidationContext, config.clone()));
        let secrets: Vec<_> = certificates.chain(named).collect();
        let of_bootstrap = secrets.iter().filter_map(|(kind, config)| {
            let is_static = config.sds_config.is_none();
            is_static.then(|| SecretManager::of(env).find(*kind, &config.name))?
        });
        let inline = common.tls_certificates.iter().cloned();
        let inline = inline.map(Type::TlsCertificate);
        let own = own.cloned().map(Type::ValidationContext);
        let all = of_bootstrap.chain(inline).chain(own);
        let directories = all.filter_map(|secret| watched_directory(&secret));
        let directories = directories.collect();
        Self {
            secrets,
            directories,
        }
    }
}
