//! The tags that Envoy draws out of stat names unless told otherwise
//! (`stats_config.use_all_default_tags`).
//!
//! The order is the order of labels in `/stats/prometheus`.

/// A default tag that tokens cannot describe.
pub(super) struct DefaultRegex {
    pub name: &'static str,
    /// Group 1 goes from the name, group 2 is the value.
    pub regex: &'static str,
    /// Names without this text cannot match.
    pub needle: &'static str,
    /// A value that is none.
    pub not: &'static str,
}

const fn regex(name: &'static str, regex: &'static str, needle: &'static str) -> DefaultRegex {
    DefaultRegex {
        name,
        regex,
        needle,
        not: "",
    }
}

/// Tried before [`TOKENS`].
pub(super) const REGEXES: &[DefaultRegex] = &[
    regex("envoy.response_code", r"_rq(_([0-9]{3}))$", "_rq_"),
    regex("envoy.response_code_class", r"_rq_(([0-9]))xx$", "_rq_"),
    regex(
        "envoy.dynamo_partition_id",
        r"^http\.[^.]+\.dynamodb\.table\.[^.]+\.capacity\.[^.]+(\.__partition_id=([0-9A-Za-z_]{7}))$",
        ".dynamodb.table.",
    ),
    regex(
        "envoy.dynamo_operation",
        r"^http\.[^.]+\.dynamodb\.(?:operation|table\.[^.]+\.capacity)(\.([^.]+))(?:\.|$)",
        ".dynamodb.",
    ),
    regex(
        "envoy.dynamo_table",
        r"^http\.[^.]+\.dynamodb\.(?:table|error)\.(([^.]+)\.)",
        ".dynamodb.",
    ),
    regex(
        "envoy.ssl_cipher",
        r"^listener\..*?\.ssl\.ciphers(\.([0-9A-Za-z_-]+))$",
        ".ssl.ciphers.",
    ),
    regex(
        "envoy.ssl_curve",
        r"^(?:listener|cluster)\..*?\.ssl\.curves(\.([0-9A-Za-z_-]+))$",
        ".ssl.curves.",
    ),
    regex(
        "envoy.ssl_sigalg",
        r"^(?:listener|cluster)\..*?\.ssl\.sigalgs(\.([0-9A-Za-z_-]+))$",
        ".ssl.sigalgs.",
    ),
    regex(
        "envoy.ssl_version",
        r"^(?:listener|cluster)\..*?\.ssl\.versions(\.(TLSv[0-9]\.[0-9]))$",
        ".ssl.versions.",
    ),
    regex(
        "envoy.tls_certificate",
        r"^(?:listener|cluster)\..*?\.ssl\.certificate\.(([^.]+)\.)",
        ".ssl.certificate.",
    ),
    regex(
        "cipher_suite",
        r"^cluster\.[^.]+\.ssl\.ciphers(\.([0-9A-Za-z_-]+))$",
        ".ssl.ciphers.",
    ),
    regex(
        "envoy.health_check_name",
        r"^cluster\.[^.]+\.health_check(\.name\.([^.]+))\..",
        ".health_check.",
    ),
    regex(
        "envoy.http_conn_manager_prefix",
        r"^listener\..*?\.http\.(([^.]+)\.)",
        ".http.",
    ),
    regex(
        "envoy.worker_id",
        concat!(
            r"^(?:listener\.(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}_[0-9]+|[^.]+)|server|listener_manager",
            r"|thread_local_cluster_manager)\.worker_(([0-9]+)\.)",
        ),
        ".worker_",
    ),
    DefaultRegex {
        name: "envoy.listener_address",
        regex: r"^listener\.(((?:[0-9]{1,3}\.){3}[0-9]{1,3}_[0-9]+|[^.]+)\.)",
        needle: "",
        not: "admin",
    },
    regex(
        "envoy.rds_route_config",
        r"^http\.[^.]+\.rds\.(([0-9A-Za-z_.-]+)\.)[0-9A-Za-z_]+$",
        ".rds.",
    ),
    regex(
        "envoy.scoped_rds_config",
        r"^http\.[^.]+\.scoped_rds\.(([0-9A-Za-z_.-]+)\.)[0-9A-Za-z_]+$",
        ".scoped_rds.",
    ),
    regex(
        "envoy.rbac_policy_name",
        concat!(
            r"^http\.[^.]+\.rbac\.(?:[^.]+\.)?policy\.(([^.]+)\.)",
            r"(?:allowed|shadow_allowed|denied|shadow_denied)$",
        ),
        ".policy.",
    ),
    DefaultRegex {
        name: "envoy.rbac_http_prefix",
        regex: r"^http\.[^.]+\.rbac\.(([^.]+)\.)",
        needle: ".rbac.",
        not: "policy",
    },
    DefaultRegex {
        name: "envoy.proxy_protocol_prefix",
        regex: r"^proxy_proto\.(([^.]+)\.).",
        needle: "",
        not: "versions",
    },
    regex(
        "envoy.proxy_protocol_version",
        r"^proxy_proto\.((?:[^.]+\.)?versions\.v([0-9])\.)[0-9A-Za-z_]+$",
        "versions.",
    ),
    regex("envoy.xds_resource_name", r"^sds\.(([^.]+)\.).", ""),
];

/// Name and pattern of the others.
pub(super) const TOKENS: &[(&str, &str)] = &[
    (
        "envoy.mongo_callsite",
        "mongo.*.collection.*.callsite.$.query.**",
    ),
    ("envoy.mongo_collection", "mongo.*.collection.$.**.query.*"),
    ("envoy.mongo_cmd", "mongo.*.cmd.$.**"),
    ("envoy.grpc_bridge_method", "cluster.*.grpc.*.$.**"),
    ("envoy.http_user_agent", "http.*.user_agent.$.**"),
    ("envoy.virtual_cluster", "vhost.*.vcluster.$.**"),
    ("envoy.fault_downstream_cluster", "http.*.fault.$.**"),
    ("envoy.grpc_bridge_service", "cluster.*.grpc.$.**"),
    ("envoy.tcp_prefix", "tcp.$.**"),
    ("envoy.udp_prefix", "udp.$.**"),
    ("envoy.clientssl_prefix", "auth.clientssl.$.**"),
    ("envoy.ratelimit_prefix", "ratelimit.$.**"),
    ("envoy.cluster_name", "cluster.$.**"),
    ("envoy.ext_authz_prefix", "cluster.*.ext_authz.$.**"),
    ("envoy.ext_authz_prefix", "http.*.ext_authz.$.**"),
    ("envoy.http_conn_manager_prefix", "http.$.**"),
    ("envoy.virtual_host", "vhost.$.**"),
    ("envoy.mongo_prefix", "mongo.$.**"),
    ("envoy.route", "vhost.*.route.$.**"),
    ("envoy.thrift_prefix", "thrift.$.**"),
    ("envoy.redis_prefix", "redis.$.**"),
    (
        "envoy.local_http_ratelimit_prefix",
        "$.http_local_rate_limit.**",
    ),
    (
        "envoy.local_network_ratelimit_prefix",
        "local_rate_limit.$.**",
    ),
    (
        "envoy.local_listener_ratelimit_prefix",
        "listener_local_ratelimit.$.**",
    ),
    ("envoy.dns_filter_prefix", "dns_filter.$.**"),
    ("envoy.connection_limit_prefix", "connection_limit.$.**"),
    ("envoy.rbac_prefix", "$.rbac.**"),
    ("envoy.google_grpc_client_prefix", "grpc.$.**"),
];
