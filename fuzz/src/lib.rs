//! Fuzz targets: what must hold for any bytes, one function per parser.

pub mod mutate;
pub mod targets;

/// A target: its name, which is that of its corpus, and what it does with an input.
pub struct Target {
    /// `h1_server`.
    pub name: &'static str,
    /// Panics when something does not hold.
    pub run: fn(&[u8]),
}

/// All targets, sorted by name.
pub const TARGETS: &[Target] = &[
    Target {
        name: "capsule",
        run: targets::capsule::run,
    },
    Target {
        name: "chain",
        run: targets::chain::run,
    },
    Target {
        name: "client_hello",
        run: targets::client_hello::run,
    },
    Target {
        name: "config",
        run: targets::config::run,
    },
    Target {
        name: "decompressor",
        run: targets::decompressor::run,
    },
    Target {
        name: "discovery",
        run: nuncio_xds::fuzz::check_response,
    },
    Target {
        name: "format",
        run: targets::format::run,
    },
    Target {
        name: "h1_client",
        run: nuncio_codec::h1::fuzz::check_client,
    },
    Target {
        name: "h1_server",
        run: nuncio_codec::h1::fuzz::check_server,
    },
    Target {
        name: "h2_client",
        run: nuncio_codec::h2::fuzz::check_client,
    },
    Target {
        name: "h2_hpack",
        run: nuncio_codec::h2::fuzz::check_hpack,
    },
    Target {
        name: "h2_server",
        run: nuncio_codec::h2::fuzz::check_server,
    },
    Target {
        name: "http_preface",
        run: targets::http_preface::run,
    },
    Target {
        name: "load_report",
        run: targets::load_report::run,
    },
    Target {
        name: "path",
        run: targets::path::run,
    },
    Target {
        name: "proxy_protocol",
        run: targets::proxy_protocol::run,
    },
    Target {
        name: "regex",
        run: targets::regex::run,
    },
    Target {
        name: "route",
        run: targets::route::run,
    },
    Target {
        name: "stats_tags",
        run: targets::stats_tags::run,
    },
];

/// The target of a name.
pub fn target(name: &str) -> &'static Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.expect("entry points are named after targets")
}

/// An entry point of libFuzzer.
#[cfg(feature = "libfuzzer")]
#[macro_export]
macro_rules! entry {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| ($crate::target($name).run)(data));
    };
}
