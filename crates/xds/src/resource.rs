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
        }
    }

    const ALL: [Self; 8] = [
        Self::Cluster,
        Self::Endpoint,
        Self::ExtensionConfig,
        Self::Listener,
        Self::Route,
        Self::Runtime,
        Self::ScopedRoute,
        Self::Secret,
    ];

    /// The type that responses name so.
    pub fn of_url(url: &str) -> Option<Self> {
        let name = url.strip_prefix("type.googleapis.com/")?;
        Self::ALL.into_iter().find(|kind| kind.message() == name)
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
