//! The table of flags: Envoy's names and value types, sorted by name.

/// What follows a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: a switch.
    Nothing,
    /// A text.
    Text,
    /// A text, each time the flag is given.
    Texts,
    /// A number of 32 bits without sign.
    Number,
}

/// One flag.
pub struct Flag {
    /// The name after `--`.
    pub long: &'static str,
    /// The letter after `-`.
    pub short: Option<char>,
    /// What follows.
    pub takes: Takes,
    /// What `--help` says.
    pub about: &'static str,
}

const fn switch(long: &'static str, about: &'static str) -> Flag {
    flag(long, Takes::Nothing, about)
}

const fn text(long: &'static str, about: &'static str) -> Flag {
    flag(long, Takes::Text, about)
}

const fn number(long: &'static str, about: &'static str) -> Flag {
    flag(long, Takes::Number, about)
}

const fn flag(long: &'static str, takes: Takes, about: &'static str) -> Flag {
    Flag {
        long,
        short: None,
        takes,
        about,
    }
}

const fn short(letter: char, flag: Flag) -> Flag {
    Flag {
        short: Some(letter),
        ..flag
    }
}

/// Every flag, sorted by name; the last three are the parser's own.
pub const FLAGS: &[Flag] = &[
    text(
        "admin-address-path",
        "File that the admin's address is written to, for an admin on port 0.",
    ),
    switch(
        "allow-unknown-fields",
        "Deprecated form of --allow-unknown-static-fields.",
    ),
    switch(
        "allow-unknown-static-fields",
        "Accept unknown fields in the bootstrap, with a warning.",
    ),
    number(
        "base-id",
        "Number that tells apart instances on one host that restart hot.",
    ),
    text("base-id-path", "File that the base id is written to."),
    text(
        "component-log-level",
        "Levels of single loggers, as in upstream:debug,config:trace.",
    ),
    number(
        "concurrency",
        "Worker threads; 0 means 1. Without it, one per CPU that the process may use.",
    ),
    short(
        'c',
        text(
            "config-path",
            "The bootstrap: .yaml, .yml, .json, .pb or .pb_text by its extension, else JSON.",
        ),
    ),
    text(
        "config-yaml",
        "A bootstrap as YAML text, merged over that of --config-path.",
    ),
    switch(
        "cpuset-threads",
        "One worker thread per CPU of the process's cpuset.",
    ),
    text(
        "disable-extensions",
        "Extensions to refuse, separated by commas.",
    ),
    switch("disable-hot-restart", "Do without hot restart."),
    text(
        "drain-strategy",
        "How connections are drained: 'gradual' (default) or 'immediate'.",
    ),
    number(
        "drain-time-s",
        "Seconds that draining takes. Default is 600.",
    ),
    switch("enable-core-dump", "Allow core dumps."),
    switch(
        "enable-fine-grain-logging",
        "Log levels by source file instead of by component.",
    ),
    switch("enable-mutex-tracing", "Measure contention of locks."),
    number(
        "file-flush-interval-msec",
        "Milliseconds after which access logs are written out. Default is 10000.",
    ),
    number(
        "file-flush-min-size-kb",
        "Kilobytes of an access log that are written out at once. Default is 64.",
    ),
    switch(
        "hot-restart-version",
        "Print the version of the hot restart protocol and exit.",
    ),
    switch(
        "ignore-unknown-dynamic-fields",
        "Do not count or log unknown fields in dynamic configuration.",
    ),
    text(
        "local-address-ip-version",
        "Family of the local address: 'v4' (default) or 'v6'.",
    ),
    text(
        "log-format",
        "Pattern of application log lines, in spdlog's syntax.\n\
         Default is \"[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v\"",
    ),
    switch(
        "log-format-escaped",
        "Escape what is not printable in application log lines, as C does.",
    ),
    short(
        'l',
        text(
            "log-level",
            "[trace][debug][info][warning|warn][error][critical][off]\nDefault is [info]",
        ),
    ),
    text(
        "log-path",
        "File of the application log, instead of stderr.",
    ),
    switch(
        "log-stacktrace-single-entry",
        "Log a stack trace as one entry.",
    ),
    text(
        "mode",
        "'serve' (default), 'validate' (check the configuration and exit) or 'init_only' (start \
         without workers and exit).",
    ),
    number(
        "parent-shutdown-time-s",
        "Seconds after which a hot restart ends the parent. Default is 900.",
    ),
    switch(
        "reject-unknown-dynamic-fields",
        "Refuse unknown fields in dynamic configuration.",
    ),
    text(
        "reload-static-config",
        "When to read the bootstrap again and take over the clusters and listeners that changed: \
         'never' (as Envoy), 'signal' (SIGHUP) or 'change' (the file too). Default is never.",
    ),
    number(
        "restart-epoch",
        "How often this instance was restarted hot; only 0 until hot restart is built.",
    ),
    text("service-cluster", "Cluster of the node."),
    text("service-node", "Id of the node."),
    text("service-zone", "Zone of the node."),
    switch(
        "skip-deprecated-logs",
        "Do not log warnings about deprecated fields.",
    ),
    switch(
        "skip-hot-restart-on-no-parent",
        "Start even when the parent of a hot restart cannot be reached.",
    ),
    switch(
        "skip-hot-restart-parent-stats",
        "Do not take over the stats of the parent of a hot restart.",
    ),
    text(
        "socket-mode",
        "Permissions of the hot restart socket, octal.",
    ),
    text("socket-path", "Path of the hot restart socket."),
    flag(
        "stats-tag",
        Takes::Texts,
        "A tag that all stats carry, as name:value; names are alphanumeric, values have no dot.",
    ),
    switch(
        "use-dynamic-base-id",
        "Choose a free base id; not with a restart epoch.",
    ),
    short(
        '-',
        switch("ignore_rest", "Ignore all arguments after this one."),
    ),
    switch("version", "Print the version and exit."),
    short('h', switch("help", "Print this and exit.")),
];

/// How many flags at the end of the table are the parser's own.
#[cfg(test)]
pub const OWN_FLAGS: usize = 3;
