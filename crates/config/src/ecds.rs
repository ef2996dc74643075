//! ECDS: HTTP filters from a control plane or a file (`HttpFilter.config_discovery`).
//!
//! Filters that ask for one configuration from one place share its subscription. Each converts what
//! comes for its own chain, and all of them take it or none.

use crate::config_source::config_source;
use crate::eds::refusal;
use nuncio_base::time::wall;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{ParseCx, Parsed, ServerEnv};
use nuncio_http::dynamic_filter::{DeliveredFilter, DynamicFilterSpec};
use nuncio_http::factory::HttpFilterSpec;
use nuncio_proto::envoy::config::core::v3::{ExtensionConfigSource, TypedExtensionConfig};
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::{Message, any};
use nuncio_stats::SharedCounter;
use nuncio_worker::Published;
use nuncio_xds::{
    ConfigSource, InitialFetch, Lease, Rejection, ResourceType, SubscriptionCallbacks,
    SubscriptionRequest, Subscriptions, Update, UpdateFailure,
};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::SystemTime;

/// A filter whose configuration is delivered.
///
/// # Errors
/// Recorded in `cx`.
pub fn dynamic_filter(
    cx: &mut ParseCx,
    name: &str,
    proto: &ExtensionConfigSource,
    filter_cx: &HttpFilterCx,
) -> Parsed<Arc<dyn HttpFilterSpec>> {
    let source = proto.config_source.as_ref();
    let source = cx.required("config_source", source, |cx, source| {
        config_source(cx, source, ResourceType::ExtensionConfig)
    })?;
    let types: Vec<_> = proto.type_urls.iter().map(|url| type_name(url)).collect();
    for (url, name) in proto.type_urls.iter().zip(&types) {
        if factory(cx.env(), name).is_none() {
            let message = format!("Error: no factory found for a required type URL {url}.");
            return Err(cx.error_at("type_urls", message));
        }
    }
    let provider = Rc::new(FilterProvider {
        filter_cx: filter_cx.clone(),
        types,
        published: Published::new(Arc::default(), cx.env().workers.clone()),
        last: Cell::new(0),
        default: cx.optional(
            "default_config",
            proto.default_config.as_ref(),
            |cx, config| convert(cx, config, filter_cx),
        )?,
        subscription: subscription(cx, source, name, filter_cx)?,
    });
    let subscription = &provider.subscription;
    subscription.add(&provider);
    // A configuration that came for another filter is there already.
    let known = subscription.delivered.borrow().clone();
    if let Some(known) = known {
        let spec = provider.check(cx.env(), &known.config);
        provider.put(spec.map_err(|reason| cx.error(reason))?);
    } else if proto.apply_default_config_without_warming {
        provider.put_default();
        subscription.fetch.target().initialize();
    }
    if !proto.apply_default_config_without_warming {
        cx.add_init_target(subscription.fetch.target());
    }
    let main = cx.env().main();
    Ok(Arc::new(DynamicFilterSpec {
        current: provider.published.clone(),
        provider: main.map(|main| -> Arc<dyn std::any::Any + Send + Sync> {
            Lease::new(main, provider.clone())
        }),
    }))
}

fn type_name(url: &str) -> String {
    url.rsplit('/').next().unwrap_or(url).to_owned()
}

fn factory(
    env: &ServerEnv,
    name: &str,
) -> Option<&'static dyn nuncio_extension::HttpFilterFactory> {
    env.registry.http_filter(&Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: Vec::new(),
    })
}

fn convert(
    cx: &mut ParseCx,
    config: &Any,
    filter_cx: &HttpFilterCx,
) -> Parsed<Arc<dyn HttpFilterSpec>> {
    let name = any::type_name(config);
    let Some(factory) = factory(cx.env(), name) else {
        return Err(crate::unknown_extension::unknown_extension(
            cx, name, config,
        ));
    };
    if factory.is_terminal() {
        return Err(cx.error(format!(
            "Error: terminal filter of type {} must be the last filter in a http filter chain.",
            factory.name()
        )));
    }
    factory.parse(config, filter_cx, cx)
}

/// A configuration that was delivered, for `config_dump`.
#[derive(Clone, Debug)]
pub struct DeliveredConfig {
    /// The `TypedExtensionConfig` as it came.
    pub resource: Any,
    /// The filter's configuration in it.
    config: Any,
    /// Its version.
    pub version: String,
    /// When it came.
    pub last_updated: SystemTime,
}

#[derive(Default)]
struct KnownSubscriptions(RefCell<Vec<Weak<FilterSubscription>>>);

/// All configurations that were delivered.
pub fn delivered(env: &ServerEnv) -> Vec<(String, DeliveredConfig)> {
    let known = env.shared(KnownSubscriptions::default);
    let known = known.0.borrow();
    let live = known.iter().filter_map(Weak::upgrade);
    let delivered = live.filter_map(|subscription| {
        let config = subscription.delivered.borrow().clone()?;
        Some((subscription.name.clone(), config))
    });
    delivered.collect()
}

fn subscription(
    cx: &mut ParseCx,
    source: ConfigSource,
    name: &str,
    filter_cx: &HttpFilterCx,
) -> Parsed<Rc<FilterSubscription>> {
    let known = cx.env().shared(KnownSubscriptions::default);
    let mut known = known.0.borrow_mut();
    known.retain(|known| known.strong_count() > 0);
    let same = |known: &Rc<FilterSubscription>| {
        known.name == name && known.source == source && known.upstream == filter_cx.upstream
    };
    if let Some(known) = known.iter().filter_map(Weak::upgrade).find(same) {
        return Ok(known);
    }
    let made = FilterSubscription::new(cx.env(), source, name, filter_cx.upstream);
    let made = made.map_err(|error| cx.error(error))?;
    known.push(Rc::downgrade(&made));
    Ok(made)
}

struct FilterSubscription {
    env: Weak<ServerEnv>,
    name: String,
    source: ConfigSource,
    upstream: bool,
    config_fail: SharedCounter,
    config_reload: SharedCounter,
    /// Never moved here: one configuration does not conflict with another. Held to be shown.
    _config_conflict: SharedCounter,
    fetch: InitialFetch,
    delivered: RefCell<Option<DeliveredConfig>>,
    providers: RefCell<Vec<Weak<FilterProvider>>>,
}

impl FilterSubscription {
    fn new(
        env: &Rc<ServerEnv>,
        source: ConfigSource,
        name: &str,
        upstream: bool,
    ) -> Result<Rc<Self>, String> {
        let kind = if upstream {
            "upstream_http_filter"
        } else {
            "http_filter"
        };
        let scope = env.store.scope("extension_config_discovery").scope(kind);
        let scope = scope.scope(name);
        let subscription = Rc::new(Self {
            env: Rc::downgrade(env),
            name: name.to_owned(),
            upstream,
            config_fail: scope.counter("config_fail"),
            config_reload: scope.counter("config_reload"),
            _config_conflict: scope.counter("config_conflict"),
            fetch: InitialFetch::new(format!("FilterConfigSubscription init {name}")),
            delivered: RefCell::default(),
            providers: RefCell::default(),
            source,
        });
        let callbacks: Rc<dyn SubscriptionCallbacks> = subscription.clone();
        let request = SubscriptionRequest {
            source: &subscription.source,
            kind: ResourceType::ExtensionConfig,
            name: Some(name),
            scope: &scope,
        };
        let made = Subscriptions::of(env).subscribe(&request, Rc::downgrade(&callbacks))?;
        subscription.fetch.hold(made);
        Ok(subscription)
    }

    fn add(&self, provider: &Rc<FilterProvider>) {
        let mut providers = self.providers.borrow_mut();
        // Those that are gone are looked for only now and then: there may be thousands.
        if providers.len() == providers.capacity() {
            providers.retain(|provider| provider.strong_count() > 0);
        }
        providers.push(Rc::downgrade(provider));
    }

    fn live(&self) -> Vec<Rc<FilterProvider>> {
        let mut providers = self.providers.borrow_mut();
        providers.retain(|provider| provider.strong_count() > 0);
        providers.iter().filter_map(Weak::upgrade).collect()
    }

    /// Counts a change once all workers have it.
    fn count_reload(&self, env: &ServerEnv) {
        let Some(main) = env.main() else {
            return;
        };
        let (workers, reloads) = (env.workers.clone(), self.config_reload.clone());
        main.spawn(async move {
            for worker in &workers {
                worker.ask(|_| ()).await;
            }
            reloads.inc();
        });
    }
}

impl SubscriptionCallbacks for FilterSubscription {
    fn on_update(&self, update: &Update<'_>) -> Result<(), Rejection> {
        let Some(env) = self.env.upgrade() else {
            return Ok(());
        };
        let [resource] = update.resources else {
            let count = update.resources.len();
            return Err(format!(
                "Unexpected number of resources in ExtensionConfigDS response: {count}"
            )
            .into());
        };
        let name = &resource.name;
        if *name != self.name {
            return Err(
                format!("Unexpected resource name in ExtensionConfigDS response: {name}").into(),
            );
        }
        let known = self
            .delivered
            .borrow()
            .as_ref()
            .map(|known| known.resource.clone());
        if known.as_ref() != Some(&resource.body) {
            let proto = TypedExtensionConfig::decode(resource.body.value.as_slice());
            let proto = proto.map_err(|error| error.to_string())?;
            let config = proto.typed_config.unwrap_or_default();
            let providers = self.live();
            let specs: Vec<_> = providers
                .iter()
                .map(|provider| provider.check(&env, &config))
                .collect::<Result<_, _>>()?;
            for (provider, spec) in providers.iter().zip(specs) {
                provider.put(spec);
            }
            *self.delivered.borrow_mut() = Some(DeliveredConfig {
                resource: resource.body.clone(),
                config,
                version: update.version.to_owned(),
                last_updated: wall(),
            });
            self.count_reload(&env);
        }
        self.fetch.ready();
        Ok(())
    }

    fn on_failure(&self, _: &UpdateFailure) {
        self.config_fail.inc();
        if self.delivered.borrow().is_none() {
            for provider in self.live() {
                provider.put_default();
            }
        }
        self.fetch.ready();
    }
}

/// One filter of one chain.
struct FilterProvider {
    filter_cx: HttpFilterCx,
    /// The full names of the messages that it may be configured by.
    types: Vec<String>,
    published: Published<DeliveredFilter>,
    last: Cell<u64>,
    default: Option<Arc<dyn HttpFilterSpec>>,
    subscription: Rc<FilterSubscription>,
}

impl FilterProvider {
    fn check(&self, env: &Rc<ServerEnv>, config: &Any) -> Result<Arc<dyn HttpFilterSpec>, String> {
        let name = any::type_name(config);
        if !self.types.iter().any(|known| known == name) {
            let expected = self.types.join(", ");
            return Err(format!(
                "Error: filter config has type URL {name} but expect {expected}."
            ));
        }
        let mut cx = ParseCx::new(Rc::clone(env));
        match convert(&mut cx, config, &self.filter_cx) {
            Ok(spec) if cx.is_clean() => Ok(spec),
            _ => Err(refusal::<TypedExtensionConfig>(cx)),
        }
    }

    fn put(&self, spec: Arc<dyn HttpFilterSpec>) {
        let number = self.last.get() + 1;
        self.last.set(number);
        self.published.publish(Arc::new(DeliveredFilter {
            number,
            spec: Some(spec),
        }));
    }

    fn put_default(&self) {
        if let Some(default) = &self.default {
            self.put(Arc::clone(default));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::convert;
    use nuncio_proto::envoy::config::cluster::v3::Cluster;
    use std::time::Duration;

    #[test]
    fn filters_that_went_leave_nothing() {
        let yaml = "{name: a, eds_cluster_config: {eds_config: {ads: {}}}}";
        let left = convert::<Cluster, _>(yaml, |cx, proto| {
            let proto = ExtensionConfigSource {
                config_source: proto.eds_cluster_config.unwrap_or_default().eds_config,
                ..Default::default()
            };
            let filter_cx = HttpFilterCx::new("http".to_owned(), false);
            let ads = ConfigSource::Ads(Duration::from_secs(15));
            let shared = subscription(cx, ads, "name", &filter_cx)?;
            for _ in 0..10 {
                drop(dynamic_filter(cx, "name", &proto, &filter_cx)?);
            }
            Ok(shared.providers.borrow().len() <= 4)
        });
        assert_eq!(left, Ok(true));
    }
}
