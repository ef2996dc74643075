//! The commands of the admin, sorted, with the words of `/help`.

use crate::{
    AdminResponse, Call, certs, clusters, config_dump, contention, csds, drain_listeners,
    healthcheck, help, home, hot_restart_version, init_dump, listeners, logging, memory, not_built,
    quitquitquit, ready, recent_lookups, reopen_logs, reset_counters, runtime, server_info, stats,
};

/// A command.
pub struct Command {
    /// Its path.
    pub path: &'static str,
    /// Whether it changes something, and so wants a POST.
    pub changes: bool,
    /// What it is for.
    pub about: &'static str,
    /// Its parameters, as far as they are told.
    pub parameters: &'static [Parameter],
    /// Answers it.
    pub answer: fn(&Call<'_>) -> AdminResponse,
}

/// A parameter of a command.
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What it may be.
    pub kind: Kind,
}

/// What a parameter may be.
#[derive(Clone, Copy)]
pub enum Kind {
    /// There or not.
    Flag,
    /// A text.
    Text,
    /// One of these.
    OneOf(&'static [&'static str]),
}

const fn get(
    path: &'static str,
    about: &'static str,
    answer: fn(&Call<'_>) -> AdminResponse,
    parameters: &'static [Parameter],
) -> Command {
    Command {
        path,
        changes: false,
        about,
        parameters,
        answer,
    }
}

const fn post(
    path: &'static str,
    about: &'static str,
    answer: fn(&Call<'_>) -> AdminResponse,
    parameters: &'static [Parameter],
) -> Command {
    Command {
        changes: true,
        ..get(path, about, answer, parameters)
    }
}

const fn parameter(name: &'static str, about: &'static str) -> Parameter {
    let kind = Kind::Text;
    Parameter { name, about, kind }
}

const fn flag(name: &'static str, about: &'static str) -> Parameter {
    let kind = Kind::Flag;
    Parameter { name, about, kind }
}

const fn one_of(
    name: &'static str,
    about: &'static str,
    values: &'static [&'static str],
) -> Parameter {
    let kind = Kind::OneOf(values);
    Parameter { name, about, kind }
}

const USED_ONLY: Parameter = flag(
    "usedonly",
    "Only include stats that have been written by system since restart",
);
const FILTER: Parameter = parameter(
    "filter",
    "Regular expression (Google re2) for filtering stats",
);
const INVERT_FILTER: Parameter = flag("invert_filter", "Invert the filter regex");

/// The commands that Envoy does not have. `/help` lists Envoy's.
pub const MORE_COMMANDS: &[Command] = &[get(
    "/csds",
    "how far each dynamic resource is",
    csds::answer,
    &[],
)];

/// All commands of Envoy.
pub const COMMANDS: &[Command] = &[
    get("/", "Admin home page", home::answer, &[]),
    post(
        "/allocprofiler",
        "enable/disable the allocation profiler (if supported)",
        not_built::profiler,
        &[one_of(
            "enable",
            "enable/disable the allocation profiler",
            &["y", "n"],
        )],
    ),
    get("/certs", "print certs on machine", certs::answer, &[]),
    get(
        "/clusters",
        "upstream cluster status",
        clusters::answer,
        &[parameter(
            "filter",
            "Regular expression (Google re2) for filtering clusters by name",
        )],
    ),
    get(
        "/config_dump",
        "dump current Envoy configs",
        config_dump::answer,
        &[
            parameter("resource", "The resource to dump"),
            parameter(
                "mask",
                "The mask to apply. When both resource and mask are specified, the mask is applied \
                 to every element in the desired repeated field so that only a subset of fields \
                 are returned. The mask is parsed as a Protobuf::FieldMask",
            ),
            parameter(
                "name_regex",
                "Dump only the currently loaded configurations whose names match the specified \
                 regex. Can be used with both resource and mask query parameters.",
            ),
            flag(
                "include_eds",
                "Dump currently loaded configuration including EDS. See the response definition \
                 for more information",
            ),
        ],
    ),
    get(
        "/contention",
        "dump current Envoy mutex contention stats (if enabled)",
        contention::answer,
        &[],
    ),
    post(
        "/cpuprofiler",
        "enable/disable the CPU profiler",
        not_built::cpu_profiler,
        &[one_of("enable", "enables the CPU profiler", &["y", "n"])],
    ),
    post(
        "/drain_listeners",
        "drain listeners",
        drain_listeners::answer,
        &[
            flag(
                "graceful",
                "When draining listeners, enter a graceful drain period prior to closing \
                 listeners. This behaviour and duration is configurable via server options or CLI",
            ),
            flag(
                "skip_exit",
                "When draining listeners, drain the connections but never stop the listeners. The \
                 graceful parameter has no effect when this is set, since the drain period only \
                 delays stopping the listeners",
            ),
            flag(
                "inboundonly",
                "Drains all inbound listeners. traffic_direction field in \
                 envoy_v3_api_msg_config.listener.v3.Listener is used to determine whether a \
                 listener is inbound or outbound.",
            ),
        ],
    ),
    post(
        "/healthcheck/fail",
        "cause the server to fail health checks",
        healthcheck::fail,
        &[],
    ),
    post(
        "/healthcheck/ok",
        "cause the server to pass health checks",
        healthcheck::ok,
        &[],
    ),
    get(
        "/heap_dump",
        "dump current Envoy heap (if supported)",
        not_built::heap_dump,
        &[],
    ),
    post(
        "/heapprofiler",
        "enable/disable the heap profiler",
        not_built::heap_profiler,
        &[one_of(
            "enable",
            "enable/disable the heap profiler",
            &["y", "n"],
        )],
    ),
    get(
        "/help",
        "print out list of admin commands",
        help::answer,
        &[],
    ),
    get(
        "/hot_restart_version",
        "print the hot restart compatibility version",
        hot_restart_version::answer,
        &[],
    ),
    get(
        "/init_dump",
        "dump current Envoy init manager information (experimental)",
        init_dump::answer,
        &[parameter(
            "mask",
            "The desired component to dump unready targets. The mask is parsed as a \
             Protobuf::FieldMask. For example, get the unready targets of all listeners with \
             /init_dump?mask=listener`",
        )],
    ),
    get(
        "/listeners",
        "print listener info",
        listeners::answer,
        &[one_of("format", "File format to use", &["text", "json"])],
    ),
    post(
        "/logging",
        "query/change logging levels",
        logging::answer,
        &[
            parameter(
                "paths",
                "Change multiple logging levels by setting to \
                 <logger_name1>:<desired_level1>,<logger_name2>:<desired_level2>. If fine grain \
                 logging is enabled, use __FILE__ or a glob experision as the logger name. For \
                 example, source/common*:warning",
            ),
            parameter(
                "group",
                "Change given logger group to desired level, set to \
                 <logger_group_name>:<desired_level>. logger_group_name must be a logger name.",
            ),
            one_of(
                "level",
                "desired logging level, this will change all loggers's level",
                &[
                    "", "trace", "debug", "info", "warning", "error", "critical", "off",
                ],
            ),
        ],
    ),
    get(
        "/memory",
        "print current allocation/heap usage",
        memory::answer,
        &[],
    ),
    get(
        "/memory/tcmalloc",
        "print TCMalloc stats",
        not_built::tcmalloc,
        &[],
    ),
    get(
        "/peak_heap_dump",
        "dump peak Envoy heap (if supported)",
        not_built::heap_dump,
        &[],
    ),
    post(
        "/quitquitquit",
        "exit the server",
        quitquitquit::answer,
        &[],
    ),
    get(
        "/ready",
        "print server state, return 200 if LIVE, otherwise return 503",
        ready::answer,
        &[],
    ),
    post(
        "/reopen_logs",
        "reopen access logs",
        reopen_logs::answer,
        &[],
    ),
    post(
        "/reset_counters",
        "reset all counters to zero",
        reset_counters::answer,
        &[],
    ),
    get("/runtime", "print runtime values", runtime::show, &[]),
    post(
        "/runtime_modify",
        "Adds or modifies runtime values as passed in query parameters. To delete a previously \
         added key, use an empty string as the value. Note that deletion only applies to overrides \
         added via this endpoint; values loaded from disk can be modified via override but not \
         deleted. E.g. ?key1=value1&key2=value2...",
        runtime::modify,
        &[],
    ),
    get(
        "/server_info",
        "print server version/status information",
        server_info::answer,
        &[],
    ),
    get(
        "/stats",
        "print server stats",
        stats::answer,
        &[
            USED_ONLY,
            FILTER,
            INVERT_FILTER,
            one_of(
                "format",
                "Format to use",
                &["html", "active-html", "text", "json"],
            ),
            one_of(
                "type",
                "Stat types to include.",
                &["All", "Counters", "Histograms", "Gauges", "TextReadouts"],
            ),
            one_of(
                "histogram_buckets",
                "Histogram bucket display mode",
                &["cumulative", "disjoint", "detailed", "summary"],
            ),
        ],
    ),
    get(
        "/stats/prometheus",
        "print server stats in prometheus format",
        stats::prometheus,
        &[
            USED_ONLY,
            flag(
                "text_readouts",
                "Render text_readouts as new gaugues with value 0 (increases Prometheus data size)",
            ),
            FILTER,
            INVERT_FILTER,
            one_of(
                "histogram_buckets",
                "Histogram bucket display mode",
                &["cumulative", "summary"],
            ),
        ],
    ),
    get(
        "/stats/recentlookups",
        "Show recent stat-name lookups",
        recent_lookups::show,
        &[],
    ),
    post(
        "/stats/recentlookups/clear",
        "clear list of stat-name lookups and counter",
        recent_lookups::clear,
        &[],
    ),
    post(
        "/stats/recentlookups/disable",
        "disable recording of reset stat-name lookup names",
        recent_lookups::disable,
        &[],
    ),
    post(
        "/stats/recentlookups/enable",
        "enable recording of reset stat-name lookup names",
        recent_lookups::enable,
        &[],
    ),
];
