//! SDS: secrets from a control plane or a file (`SdsSecretConfig.sds_config`).
//!
//! All who ask for one secret from one place share its provider, which lives on main for as long as
//! any of them does. An update is taken over by all of them or by none.

use crate::config_source::{check_local_info, unchecked_config_source};
use crate::eds::refusal;
use crate::secret::{SecretKind, SecretManager};
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_base::time::wall;
use nuncio_extension::{ParseCx, Parsed, ServerEnv};
use nuncio_proto::Message;
use nuncio_proto::envoy::config::core::v3::DataSource;
use nuncio_proto::envoy::config::core::v3::data_source::Specifier;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3 as proto;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use nuncio_stats::SharedCounter;
use nuncio_xds::{
    ConfigSource, FileWatcher, InitialFetch, Lease, Rejection, ResourceType, SubscriptionCallbacks,
    SubscriptionRequest, Subscriptions, Update, UpdateFailure,
};
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::SystemTime;

pub use nuncio_xds::FileWatch;

/// Uses secrets, and is made anew when one of them changes.
pub trait SecretUser {
    /// Makes what is made of the secrets, as they are now, anew; what is given back takes it into
    /// use. `None`: other secrets are still missing.
    ///
    /// # Errors
    /// What is wrong with it; what was there before goes on.
    fn prepare(&self) -> Result<Option<Box<dyn FnOnce()>>, String>;
}

/// Has main keep what uses secrets for as long as what is given back lives.
pub fn keep(env: &ServerEnv, user: Rc<dyn Any>) -> Option<Arc<dyn Any + Send + Sync>> {
    let main = env.main()?;
    Some(Lease::new(main, user))
}

/// A secret as it was delivered.
#[derive(Clone, Debug)]
pub struct DeliveredSecret {
    /// The secret.
    pub secret: proto::Secret,
    /// The secret with what was in its files then.
    pub resolved: proto::Secret,
    /// Its version.
    pub version: String,
    /// When it came.
    pub last_updated: SystemTime,
}

/// A secret over SDS. Lives on main.
pub struct SecretProvider {
    kind: SecretKind,
    name: String,
    source: ConfigSource,
    env: Weak<ServerEnv>,
    fetch: InitialFetch,
    delivered: RefCell<Option<DeliveredSecret>>,
    users: RefCell<Vec<Weak<dyn SecretUser>>>,
    own: Weak<Self>,
    watches: RefCell<Vec<FileWatch>>,
    key_rotation_failed: SharedCounter,
}

impl SecretProvider {
    /// The provider of the secret that `config` names; what is being converted waits for it.
    ///
    /// # Errors
    /// Recorded in `cx`.
    pub fn of(
        cx: &mut ParseCx,
        kind: SecretKind,
        config: &proto::SdsSecretConfig,
    ) -> Parsed<Rc<Self>> {
        let source = config.sds_config.as_ref();
        let source = cx.required("sds_config", source, |cx, source| {
            check_local_info(cx, kind.api_name())?;
            unchecked_config_source(cx, source)
        })?;
        let manager = SecretManager::of(cx.env());
        let known = manager.provider(kind, &config.name, &source);
        let provider = match known {
            Some(provider) => provider,
            None => {
                let made = Self::new(cx.env(), kind, &config.name, source);
                let made = made.map_err(|error| cx.error(error))?;
                manager.add_provider(&made);
                made
            }
        };
        cx.add_init_target(provider.fetch.target());
        Ok(provider)
    }

    fn new(
        env: &Rc<ServerEnv>,
        kind: SecretKind,
        name: &str,
        source: ConfigSource,
    ) -> Result<Rc<Self>, String> {
        let scope = env.store.scope("sds").scope(name);
        let provider = Rc::new_cyclic(|own| Self {
            kind,
            name: name.to_owned(),
            source,
            env: Rc::downgrade(env),
            fetch: InitialFetch::new(format!("SdsApi {name}")),
            delivered: RefCell::default(),
            users: RefCell::default(),
            own: Weak::clone(own),
            watches: RefCell::default(),
            key_rotation_failed: scope.counter("key_rotation_failed"),
        });
        let callbacks: Rc<dyn SubscriptionCallbacks> = provider.clone();
        let request = SubscriptionRequest {
            source: &provider.source,
            kind: ResourceType::Secret,
            name: Some(name),
            scope: &scope,
        };
        let subscriptions = Subscriptions::of(env);
        let subscription = subscriptions.subscribe(&request, Rc::downgrade(&callbacks))?;
        provider.fetch.hold(subscription);
        Ok(provider)
    }

    /// Whether it is that of this secret.
    pub fn is(&self, kind: SecretKind, name: &str, source: &ConfigSource) -> bool {
        self.kind == kind && self.name == name && self.source == *source
    }

    /// The secret's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The secret, if it was delivered.
    pub fn delivered(&self) -> Option<DeliveredSecret> {
        self.delivered.borrow().clone()
    }

    /// Adds one that is made anew when the secret changes.
    pub fn add_user(&self, user: Weak<dyn SecretUser>) {
        let mut users = self.users.borrow_mut();
        users.retain(|user| user.strong_count() > 0);
        users.push(user);
    }

    /// Has all users made anew; nothing is taken into use where one can't be.
    fn renew_users(&self) -> Result<(), String> {
        let users: Vec<_> = self
            .users
            .borrow()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        let prepared: Result<Vec<_>, _> = users.iter().map(|user| user.prepare()).collect();
        prepared?.into_iter().flatten().for_each(|apply| apply());
        Ok(())
    }

    fn take(
        &self,
        env: &Rc<ServerEnv>,
        secret: proto::Secret,
        version: &str,
    ) -> Result<(), String> {
        let kind = secret.r#type.as_ref().map(SecretKind::of);
        if kind != Some(self.kind) {
            let mut cx = ParseCx::new(Rc::clone(env));
            let name = &self.name;
            cx.error(format!("Unexpected SDS secret type for {name}"));
            return Err(refusal::<proto::Secret>(cx));
        }
        let before = self.delivered.replace(Some(DeliveredSecret {
            resolved: resolved(&secret),
            secret: secret.clone(),
            version: version.to_owned(),
            last_updated: wall(),
        }));
        if let Err(error) = self.renew_users() {
            *self.delivered.borrow_mut() = before;
            return Err(error);
        }
        let watches = self.watch_files(env, &secret);
        *self.watches.borrow_mut() = watches?;
        Ok(())
    }

    /// Watches where the secret's files are: what is in them may be replaced.
    fn watch_files(
        &self,
        env: &Rc<ServerEnv>,
        secret: &proto::Secret,
    ) -> Result<Vec<FileWatch>, String> {
        let own = Weak::clone(&self.own);
        watch_directories(env, &directories(secret), move || {
            if let Some(own) = own.upgrade() {
                own.files_changed();
            }
        })
    }

    fn files_changed(&self) {
        let renewed = self.renew_users();
        if let (Ok(()), Some(delivered)) = (&renewed, &mut *self.delivered.borrow_mut()) {
            delivered.resolved = resolved(&delivered.secret);
        }
        if let Err(error) = renewed {
            self.key_rotation_failed.inc();
            let name = &self.name;
            log!(
                logger::CONFIG,
                Level::Warning,
                "Failed to reload certificates: {name}: {error}"
            );
        }
    }
}

impl SubscriptionCallbacks for SecretProvider {
    fn on_update(&self, update: &Update<'_>) -> Result<(), Rejection> {
        let Some(env) = self.env.upgrade() else {
            return Ok(());
        };
        let name = &self.name;
        let [resource] = update.resources else {
            return Err(match update.resources.len() {
                0 => format!("Missing SDS resources for {name} in onConfigUpdate()").into(),
                count => format!("Unexpected SDS secrets length: {count}").into(),
            });
        };
        if resource.name != *name {
            let other = &resource.name;
            return Err(format!("Unexpected SDS secret (expecting {name}): {other}").into());
        }
        let secret = proto::Secret::decode(resource.body.value.as_slice());
        let secret = secret.map_err(|error| error.to_string())?;
        self.take(&env, secret, update.version)?;
        self.fetch.ready();
        Ok(())
    }

    fn on_failure(&self, _: &UpdateFailure) {
        self.fetch.ready();
    }
}

/// Calls `changed` on main whenever something is renamed to a name in one of `directories`.
///
/// # Errors
/// A directory that can't be watched, in Envoy's words.
pub fn watch_directories(
    env: &ServerEnv,
    directories: &BTreeSet<PathBuf>,
    changed: impl Fn() + Clone + 'static,
) -> Result<Vec<FileWatch>, String> {
    let Some(main) = env.main() else {
        return Ok(Vec::new());
    };
    let watcher = FileWatcher::of(main).map_err(|error| error.to_string())?;
    let watch = |directory: &PathBuf| watcher.watch_directory(directory, changed.clone());
    directories.iter().map(watch).collect()
}

/// The directory that a secret names to be watched for its files.
pub fn watched_directory(secret: &Type) -> Option<PathBuf> {
    let watched = match secret {
        Type::TlsCertificate(certificate) => certificate.watched_directory.as_ref(),
        Type::ValidationContext(context) => context.watched_directory.as_ref(),
        Type::SessionTicketKeys(_) | Type::GenericSecret(_) => None,
    };
    watched.map(|watched| PathBuf::from(&watched.path))
}

/// The directories whose changes may change a secret: the one that is named, else those of its
/// files.
fn directories(secret: &proto::Secret) -> BTreeSet<PathBuf> {
    let Some(secret) = &secret.r#type else {
        return BTreeSet::new();
    };
    if let Some(watched) = watched_directory(secret) {
        return BTreeSet::from([watched]);
    }
    let mut secret = secret.clone();
    let sources = sources(&mut secret).into_iter();
    let files = sources.filter_map(|source| match &source.specifier {
        Some(Specifier::Filename(path)) => Path::new(path).parent(),
        _ => None,
    });
    files.map(Path::to_path_buf).collect()
}

/// Where a secret comes from that changes when its files do.
fn sources(secret: &mut Type) -> Vec<&mut DataSource> {
    let [first, second] = match secret {
        Type::TlsCertificate(own) => [&mut own.certificate_chain, &mut own.private_key],
        Type::ValidationContext(own) => [&mut own.trusted_ca, &mut own.crl],
        Type::SessionTicketKeys(_) | Type::GenericSecret(_) => return Vec::new(),
    };
    first.iter_mut().chain(second).collect()
}

/// A secret with what is in its files, as Envoy shows it; a file that can't be read stays a name.
fn resolved(secret: &proto::Secret) -> proto::Secret {
    let mut secret = secret.clone();
    for source in secret.r#type.iter_mut().flat_map(sources) {
        if let Some(Specifier::Filename(path)) = &source.specifier
            && let Ok(bytes) = std::fs::read(path)
        {
            source.specifier = Some(Specifier::InlineBytes(bytes));
        }
    }
    secret
}
