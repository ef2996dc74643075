//! Envoy's command line: the flags of 1.40, their grammar and what is said about mistakes.
//!
//! `grammar` reads words by the table in `flags`; this file checks what they mean, in Envoy's
//! order, so that of several mistakes the same one is told.

mod flags;
mod grammar;
#[cfg(test)]
mod tests;
mod usage;

use std::time::Duration;

use nuncio_base::log::{Level, Logger, logger};
use nuncio_base::options::{DrainStrategy, LocalIpVersion, Mode, Options, ReloadStatic};
use nuncio_base::version::{HOT_RESTART_VERSION, version};

use grammar::{Given, Words};

/// What the command line comes to.
#[derive(Debug)]
pub enum CommandLine {
    /// Start with these options.
    Run(Box<Options>),
    /// Print this and end.
    Exit(Exit),
}

/// Text to print, and the code to end with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// For standard output.
    pub stdout: String,
    /// For standard error.
    pub stderr: String,
    /// The process's exit code.
    pub code: u8,
}

/// Reads the words of a command line, the program's name first.
pub fn parse(words: &[String]) -> CommandLine {
    let program = words.first().map_or("nuncio", String::as_str);
    let mut words = words.get(1..).unwrap_or_default();
    let demo = words.first().is_some_and(|word| word == "demo");
    if demo {
        words = &words[1..];
    }
    match grammar::read(words) {
        Ok(Words::Help) => print(usage::help(program)),
        Ok(Words::Version) => print(format!("\n{program}  version: {}\n\n", version())),
        Ok(Words::Given(given)) => {
            check(&given, demo).unwrap_or_else(|text| fail(format!("error: {text}\n")))
        }
        Err(error) => fail(usage::failure(program, &error)),
    }
}

fn print(stdout: String) -> CommandLine {
    CommandLine::Exit(Exit {
        stdout,
        ..Exit::default()
    })
}

fn fail(stderr: String) -> CommandLine {
    CommandLine::Exit(Exit {
        stderr,
        code: 1,
        ..Exit::default()
    })
}

fn hot_restart_version(given: &Given) -> CommandLine {
    let version = if given.has("disable-hot-restart") {
        "disabled"
    } else {
        HOT_RESTART_VERSION
    };
    CommandLine::Exit(Exit {
        stderr: version.into(),
        ..Exit::default()
    })
}

fn check(given: &Given, demo: bool) -> Result<CommandLine, String> {
    let mut options = options(given, demo)?;
    if given.has("hot-restart-version") {
        return Ok(hot_restart_version(given));
    }
    options.reload_static = reload_static(given, demo)?;
    options.stats_tags = given
        .texts("stats-tag")
        .map(stats_tag)
        .collect::<Result<_, _>>()?;
    if options.restart_epoch > 0 {
        let epoch = options.restart_epoch;
        return Err(format!(
            "cannot use --restart-epoch={epoch}: hot restart is not supported"
        ));
    }
    if demo && (given.has("config-path") || given.has("config-yaml")) {
        return Err("demo brings its own configuration, give no other".into());
    }
    Ok(CommandLine::Run(Box::new(options)))
}

/// Everything but the stats tags, which Envoy reads last.
fn options(given: &Given, demo: bool) -> Result<Options, String> {
    let text = |name: &str| given.text(name).unwrap_or_default().to_owned();
    let seconds = |name: &str, default: u32| {
        Duration::from_secs(u64::from(given.number(name).unwrap_or(default)))
    };
    let defaults = Options::default();
    let mut warnings = Vec::new();
    let log_level = level(given.text("log-level").unwrap_or("info"))?;
    let component_log_levels = component_levels(given)?;
    let mode = mode(given)?;
    let local_ip_version = local_ip_version(given)?;
    let restart_epoch = given.number("restart-epoch").unwrap_or_default();
    if restart_epoch > 0 && given.has("use-dynamic-base-id") {
        return Err(format!(
            "cannot use --restart-epoch={restart_epoch} with --use-dynamic-base-id"
        ));
    }
    let drain_strategy = drain_strategy(given)?;
    if given.has("allow-unknown-fields") {
        warnings.push(
            "--allow-unknown-fields is deprecated, use --allow-unknown-static-fields instead.",
        );
    }
    Ok(Options {
        concurrency: concurrency(given, &mut warnings),
        config_path: text("config-path"),
        config_yaml: text("config-yaml"),
        demo,
        mode,
        cpuset_threads: given.has("cpuset-threads"),
        allow_unknown_static_fields: given.has("allow-unknown-static-fields")
            || given.has("allow-unknown-fields"),
        reject_unknown_dynamic_fields: given.has("reject-unknown-dynamic-fields"),
        ignore_unknown_dynamic_fields: given.has("ignore-unknown-dynamic-fields"),
        skip_deprecated_logs: given.has("skip-deprecated-logs"),
        disabled_extensions: list(given.text("disable-extensions")),
        service_cluster: text("service-cluster"),
        service_node: text("service-node"),
        service_zone: text("service-zone"),
        local_ip_version,
        admin_address_path: text("admin-address-path"),
        stats_tags: Vec::new(),
        log_level,
        component_log_levels,
        component_log_level_text: text("component-log-level"),
        log_format: given.text("log-format").map(str::to_owned),
        log_format_escaped: given.has("log-format-escaped"),
        log_path: text("log-path"),
        log_stacktrace_single_entry: given.has("log-stacktrace-single-entry"),
        fine_grain_logging: given.has("enable-fine-grain-logging"),
        file_flush_interval: Duration::from_millis(u64::from(
            given.number("file-flush-interval-msec").unwrap_or(10_000),
        )),
        file_flush_min_size: u64::from(given.number("file-flush-min-size-kb").unwrap_or(64)) * 1024,
        drain_time: seconds("drain-time-s", 600),
        drain_strategy,
        parent_shutdown_time: seconds("parent-shutdown-time-s", 900),
        base_id: given.number("base-id").unwrap_or_default(),
        use_dynamic_base_id: given.has("use-dynamic-base-id"),
        base_id_path: text("base-id-path"),
        restart_epoch,
        disable_hot_restart: given.has("disable-hot-restart"),
        skip_hot_restart_on_no_parent: given.has("skip-hot-restart-on-no-parent"),
        skip_hot_restart_parent_stats: given.has("skip-hot-restart-parent-stats"),
        socket_path: given
            .text("socket-path")
            .map_or(defaults.socket_path, str::to_owned),
        socket_mode: socket_mode(given.text("socket-mode"))?,
        mutex_tracing: given.has("enable-mutex-tracing"),
        core_dump: given.has("enable-core-dump"),
        warnings,
        reload_static: ReloadStatic::Never,
    })
}

fn level(name: &str) -> Result<Level, String> {
    Level::from_name(name).ok_or_else(|| format!("invalid log level specified '{name}'"))
}

fn component_levels(given: &Given) -> Result<Vec<(&'static Logger, Level)>, String> {
    let text = given.text("component-log-level").unwrap_or_default();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if given.has("enable-fine-grain-logging") {
        return Err("--component-log-level will not work with --enable-fine-grain-logging".into());
    }
    text.split(',').map(component_level).collect()
}

fn component_level(text: &str) -> Result<(&'static Logger, Level), String> {
    let (name, level_name) = text
        .split_once(':')
        .filter(|(_, level)| !level.contains(':'))
        .ok_or_else(|| format!("component log level not correctly specified '{text}'"))?;
    let level = level(level_name)?;
    let logger =
        logger::named(name).ok_or_else(|| format!("invalid component specified '{name}'"))?;
    Ok((logger, level))
}

fn mode(given: &Given) -> Result<Mode, String> {
    match given.text("mode").unwrap_or("serve") {
        "serve" => Ok(Mode::Serve),
        "validate" => Ok(Mode::Validate),
        "init_only" => Ok(Mode::InitOnly),
        other => Err(format!("unknown mode '{other}'")),
    }
}

fn local_ip_version(given: &Given) -> Result<LocalIpVersion, String> {
    match given.text("local-address-ip-version").unwrap_or("v4") {
        "v4" => Ok(LocalIpVersion::V4),
        "v6" => Ok(LocalIpVersion::V6),
        other => Err(format!("unknown IP address version '{other}'")),
    }
}

fn drain_strategy(given: &Given) -> Result<DrainStrategy, String> {
    match given.text("drain-strategy").unwrap_or("gradual") {
        "gradual" => Ok(DrainStrategy::Gradual),
        "immediate" => Ok(DrainStrategy::Immediate),
        other => Err(format!("unknown drain-strategy '{other}'")),
    }
}

fn reload_static(given: &Given, demo: bool) -> Result<ReloadStatic, String> {
    let when = match given.text("reload-static-config").unwrap_or("never") {
        "never" => ReloadStatic::Never,
        "signal" => ReloadStatic::Signal,
        "change" => ReloadStatic::Change,
        other => return Err(format!("unknown reload-static-config '{other}'")),
    };
    if when != ReloadStatic::Never && (demo || !given.has("config-path")) {
        return Err("--reload-static-config needs a file, by --config-path".into());
    }
    Ok(when)
}

/// Worker threads. The CPUs counted are those of the affinity mask and the cgroup's quota.
fn concurrency(given: &Given, warnings: &mut Vec<&'static str>) -> u32 {
    let cpus = || std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32);
    match given.number("concurrency") {
        Some(threads) => {
            if given.has("cpuset-threads") {
                warnings.push(
                    "Both --concurrency and --cpuset-threads options are set; not applying \
                     --cpuset-threads.",
                );
            }
            threads.max(1)
        }
        None => cpus(),
    }
}

fn socket_mode(text: Option<&str>) -> Result<u32, String> {
    let text = text.unwrap_or("600");
    u32::from_str_radix(text, 8).map_err(|_| format!("invalid socket-mode '{text}'"))
}

fn list(text: Option<&str>) -> Vec<String> {
    let names = text.unwrap_or_default().split(',');
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// `name:value`, where the value may hold more colons.
fn stats_tag(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| format!("misformatted stats-tag '{text}'"))?;
    let invalid =
        |part: &str| format!("misformatted stats-tag '{text}' contains invalid char in '{part}'");
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(invalid(name));
    }
    if value.is_empty() || value.contains('.') {
        return Err(invalid(value));
    }
    Ok((name.to_owned(), value.to_owned()))
}
