//! Resources, and the types of them that there are.

use nuncio_proto::google::protobuf::Any;
use nuncio_proto::wire::{self, Value};

/// A type of resource.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum ResourceType {
    /// CDS
    Cluster,
    /// EDS
    Endpoint,
    /// ECDS
    ExtensionConfig,
    /// LDS
    Listener,
    /// RDS
    Route,
    /// RTDS
    Runtime,
    /// SRDS
    ScopedRoute,
    /// SDS
    Secret,
    /// VHDS
    VirtualHost,
}

impl ResourceType {
    /// The full name of its message.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Cluster => "envoy.config.cluster.v3.Cluster",
            Self::Endpoint => "envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::ExtensionConfig => "envoy.config.core.v3.TypedExtensionConfig",
            Self::Listener => "envoy.config.listener.v3.Listener",
            Self::Route => "envoy.config.route.v3.RouteConfiguration",
            Self::Runtime => "envoy.service.runtime.v3.Runtime",
            Self::ScopedRoute => "envoy.config.route.v3.ScopedRouteConfiguration",
            Self::Secret => "envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::VirtualHost => "envoy.config.route.v3.VirtualHost",
        }
    }

    pub(crate) const ALL: [Self; 9] = [
        Self::Cluster,
        Self::Endpoint,
        Self::ExtensionConfig,
        Self::Listener,
        Self::Route,
        Self::Runtime,
        Self::ScopedRoute,
        Self::Secret,
        Self::VirtualHost,
    ];

    /// The type that responses name so.
    pub fn of_url(url: &str) -> Option<Self> {
        let name = url.strip_prefix("type.googleapis.com/")?;
        Self::ALL.into_iter().find(|kind| kind.message() == name)
    }

    /// Whether resources are wanted by what stands before the last slash of their names: a route
    /// table's virtual hosts.
    pub(crate) const fn is_by_namespace(self) -> bool {
        matches!(self, Self::VirtualHost)
    }

    /// As responses and requests name it.
    pub fn type_url(self) -> String {
        format!("type.googleapis.com/{}", self.message())
    }
}

/// A resource as it came; its constraints hold.
#[derive(Clone, PartialEq, Debug)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// Its own version, or that of the response it came in.
    pub version: String,
    /// The resource.
    pub body: Any,
}

/// Whether a resource of this name is in a namespace.
pub(crate) fn is_in(namespace: &str, name: &str) -> bool {
    let found = name.rsplit_once('/');
    found.is_some_and(|(found, _)| found == namespace)
}

/// The name in an encoded resource: each type has it, or the cluster's, as its first field.
pub(crate) fn name_in(body: &[u8]) -> String {
    let mut name = "";
    for field in wire::fields(body).map_while(Result::ok) {
        if let (1, Value::Bytes(bytes)) = field {
            name = str::from_utf8(bytes).unwrap_or_default();
        }
    }
    name.to_owned()
}
