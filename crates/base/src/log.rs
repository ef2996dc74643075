//! The application log's front: loggers with levels that change at run time, and `log!`.
//!
//! A line that is not wanted costs one relaxed load and formats nothing. Where lines go, and how
//! they look, is the installed sink's business (the server's `logging`).

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// How much a line matters (spdlog's levels, under Envoy's names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Every step.
    Trace,
    /// What a developer asks for.
    Debug,
    /// What an operator reads.
    Info,
    /// Odd, but handled.
    Warning,
    /// Something failed.
    Error,
    /// The process cannot go on, or a bug was met.
    Critical,
    /// As a logger's level: nothing is logged.
    Off,
}

impl Level {
    /// All levels, least first.
    pub const ALL: [Self; 7] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Off,
    ];

    /// The name Envoy prints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Off => "off",
        }
    }

    /// The level of that name; `warn` is one of `warning`.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "warn" {
            return Some(Self::Warning);
        }
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    fn from_u8(value: u8) -> Self {
        Self::ALL.get(value as usize).copied().unwrap_or(Self::Off)
    }
}

/// A named source of lines with a level of its own.
pub struct Logger {
    name: &'static str,
    level: AtomicU8,
}

impl Logger {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            level: AtomicU8::new(Level::Info as u8),
        }
    }

    /// The name, as `--component-log-level` and `/logging` know it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The least level that is logged.
    pub fn level(&self) -> Level {
        Level::from_u8(self.level.load(Ordering::Relaxed))
    }

    /// Sets the least level that is logged.
    pub fn set_level(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
    }

    /// Whether a line of this level is logged.
    #[inline]
    pub fn enabled(&self, level: Level) -> bool {
        level as u8 >= self.level.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.level().name())
    }
}

/// Declares the loggers and the list of them all.
macro_rules! loggers {
    ($($constant:ident $name:literal)*) => {
        /// The loggers, one per component.
        pub mod logger {
            use super::Logger;
            $(
                #[doc = concat!("`", $name, "`")]
                pub static $constant: Logger = Logger::new($name);
            )*
            /// All loggers, in the order in which `/logging` lists them.
            pub static ALL: &[&Logger] = &[$(&$constant),*];

            /// The logger of that name.
            pub fn named(name: &str) -> Option<&'static Logger> {
                ALL.iter().copied().find(|logger| logger.name() == name)
            }

            /// Gives all loggers the same level.
            pub fn set_all(level: super::Level) {
                for logger in ALL {
                    logger.set_level(level);
                }
            }
        }
    };
}

// Envoy's names in Envoy's order: scripts set levels by them, also of parts not built here.
loggers! {
    A2A "a2a"
    ADMIN "admin"
    AI_PROTOCOL_MANAGER "ai_protocol_manager"
    ALTERNATE_PROTOCOLS_CACHE "alternate_protocols_cache"
    AWS "aws"
    ASSERT "assert"
    BACKTRACE "backtrace"
    BASIC_AUTH "basic_auth"
    CACHE_FILTER "cache_filter"
    CLIENT "client"
    CONFIG "config"
    CONNECTION "connection"
    CONN_HANDLER "conn_handler"
    COMPRESSION "compression"
    CREDENTIAL_INJECTOR "credential_injector"
    DECOMPRESSION "decompression"
    DNS "dns"
    DUBBO "dubbo"
    ENVOY_BUG "envoy_bug"
    EXT_AUTHZ "ext_authz"
    EXT_PROC "ext_proc"
    ROCKETMQ "rocketmq"
    FILE "file"
    FILTER "filter"
    FORWARD_PROXY "forward_proxy"
    GEOLOCATION "geolocation"
    GRPC "grpc"
    HAPPY_EYEBALLS "happy_eyeballs"
    HC "hc"
    HEALTH_CHECKER "health_checker"
    HTTP "http"
    HTTP2 "http2"
    HYSTRIX "hystrix"
    INIT "init"
    IO "io"
    JWT "jwt"
    JSON_RPC "json_rpc"
    KAFKA "kafka"
    KEY_VALUE_STORE "key_value_store"
    LUA "lua"
    LOCAL_RATE_LIMIT "local_rate_limit"
    MAIN "main"
    MATCHER "matcher"
    MCP "mcp"
    MISC "misc"
    MONGO "mongo"
    MULTI_CONNECTION "multi_connection"
    NOTIFICATION "notification"
    OAUTH2 "oauth2"
    QUIC "quic"
    QUIC_STREAM "quic_stream"
    POOL "pool"
    RATE_LIMIT_QUOTA "rate_limit_quota"
    RBAC "rbac"
    RDS "rds"
    REDIS "redis"
    ROUTER "router"
    RUNTIME "runtime"
    STATS "stats"
    SECRET "secret"
    SSE "sse"
    TAP "tap"
    TESTING "testing"
    THRIFT "thrift"
    TRACING "tracing"
    UPSTREAM "upstream"
    UDP "udp"
    WASM "wasm"
    WEBSOCKET "websocket"
    GOLANG "golang"
    STATS_SINKS "stats_sinks"
    DYNAMIC_MODULES "dynamic_modules"
    IP_TAGGING "ip_tagging"
}

/// One line on its way to the sink.
pub struct Record<'a> {
    /// Who logs.
    pub logger: &'static Logger,
    /// How much it matters.
    pub level: Level,
    /// The source file.
    pub file: &'static str,
    /// The line in it.
    pub line: u32,
    /// The module, where spdlog prints a function.
    pub module: &'static str,
    /// What is said; may begin with `[Tags: "name":"value",…] `.
    pub message: fmt::Arguments<'a>,
}

/// The pattern of lines where nothing else is asked for, in spdlog's language.
pub const DEFAULT_FORMAT: &str = "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v";

/// Where lines go.
pub trait Sink: Send + Sync {
    /// Writes a line, quickly: workers call it.
    fn log(&self, record: &Record<'_>);
}

static SINK: OnceLock<Box<dyn Sink>> = OnceLock::new();

/// Sends all lines to `sink` from now on; false when there is a sink already.
pub fn install(sink: Box<dyn Sink>) -> bool {
    SINK.set(sink).is_ok()
}

/// Hands a line to the sink; without a sink (in tests) it is dropped.
#[cold]
pub fn emit(record: &Record<'_>) {
    if let Some(sink) = SINK.get() {
        sink.log(record);
    }
}

/// Logs a line: `log!(logger::HTTP, Level::Info, "text {}", value)`.
#[macro_export]
macro_rules! log {
    ($logger:expr, $level:expr, $($message:tt)+) => {
        if $logger.enabled($level) {
            $crate::log::emit(&$crate::log::Record {
                logger: &$logger,
                level: $level,
                file: file!(),
                line: line!(),
                module: module_path!(),
                message: format_args!($($message)+),
            });
        }
    };
}

/// Logs a line about a connection, which carries its id as a tag.
#[macro_export]
macro_rules! conn_log {
    ($logger:expr, $level:expr, $connection:expr, $($message:tt)+) => {
        $crate::log!(
            $logger,
            $level,
            "[Tags: \"ConnectionId\":\"{}\"] {}",
            $connection,
            format_args!($($message)+)
        )
    };
}

/// Logs a line about a stream, which carries its id and its connection's as tags.
#[macro_export]
macro_rules! stream_log {
    ($logger:expr, $level:expr, $connection:expr, $stream:expr, $($message:tt)+) => {
        $crate::log!(
            $logger,
            $level,
            "[Tags: \"ConnectionId\":\"{}\",\"StreamId\":\"{}\"] {}",
            $connection,
            $stream,
            format_args!($($message)+)
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    thread_local! {
        static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    struct Collect;

    impl Sink for Collect {
        fn log(&self, record: &Record<'_>) {
            let line = format!(
                "{} {} {}",
                record.logger.name(),
                record.level.name(),
                record.message
            );
            LINES.with_borrow_mut(|lines| lines.push(line));
        }
    }

    #[test]
    fn levels_filter_and_tags_come_first() {
        assert!(install(Box::new(Collect)));
        let value = 3;
        log!(logger::TESTING, Level::Debug, "not {value}");
        log!(logger::TESTING, Level::Info, "one {value}");
        logger::TESTING.set_level(Level::Trace);
        conn_log!(logger::TESTING, Level::Trace, 7, "two {}", value);
        stream_log!(logger::TESTING, Level::Error, 7, 8, "three {value}");
        logger::TESTING.set_level(Level::Off);
        log!(logger::TESTING, Level::Critical, "not");
        LINES.with_borrow(|lines| {
            assert_eq!(
                lines[..],
                [
                    "testing info one 3",
                    "testing trace [Tags: \"ConnectionId\":\"7\"] two 3",
                    "testing error [Tags: \"ConnectionId\":\"7\",\"StreamId\":\"8\"] three 3",
                ]
            );
        });
    }

    #[test]
    fn names() {
        for (name, expected) in [
            ("warn", Some(Level::Warning)),
            ("warning", Some(Level::Warning)),
            ("off", Some(Level::Off)),
            ("TRACE", None),
            ("", None),
        ] {
            assert_eq!(Level::from_name(name), expected, "{name}");
        }
        assert_eq!(logger::named("http2").map(Logger::name), Some("http2"));
        assert!(logger::named("nothing").is_none());
    }
}
