//! Command lines and what they come to. Texts and codes are those that Envoy 1.40 gave.

use std::time::Duration;

use nuncio_base::log::Level;
use nuncio_base::options::{DrainStrategy, LocalIpVersion, Mode, Options};

use super::flags::{FLAGS, OWN_FLAGS};
use super::{CommandLine, Exit, parse};

fn words(line: &[&str]) -> Vec<String> {
    let mut words = vec!["nuncio".to_owned()];
    words.extend(line.iter().map(|word| (*word).to_owned()));
    words
}

fn exit(line: &[&str]) -> Exit {
    match parse(&words(line)) {
        CommandLine::Exit(exit) => exit,
        CommandLine::Run(_) => panic!("{line:?} was accepted"),
    }
}

fn options(line: &[&str]) -> Options {
    match parse(&words(line)) {
        CommandLine::Run(options) => *options,
        CommandLine::Exit(exit) => panic!("{line:?}: {}", exit.stderr),
    }
}

#[test]
fn the_table_is_sorted_and_complete() {
    let flags = &FLAGS[..FLAGS.len() - OWN_FLAGS];
    assert!(flags.is_sorted_by(|a, b| a.long < b.long));
    // Envoy's, and --reload-static-config.
    assert_eq!(FLAGS.len(), 45);
}

#[test]
fn mistakes_of_grammar() {
    let unmatched = "Couldn't find match for argument";
    for (line, argument, text) in [
        (&["--foo"][..], "--foo", unmatched),
        (&["foo"], "foo", unmatched),
        (
            &["--service-cluster=foo"],
            "--service-cluster=foo",
            unmatched,
        ),
        (&["-cfoo"], "-cfoo", unmatched),
        (&["--mod", "validate"], "--mod", unmatched),
        (&["-version"], "-version", unmatched),
        (&["--Version"], "--Version", unmatched),
        (&["--service-cluster", "--", "foo"], "foo", unmatched),
        (
            &["--disable-hot-restart x"],
            "--disable-hot-restart x",
            unmatched,
        ),
        (&["--foo", "--version"], "--foo", unmatched),
        (
            &["-l", "info", "-l", "debug"],
            "-l (--log-level)",
            "Argument already set!",
        ),
        (
            &["-c", "a", "--config-path", "b"],
            "-c (--config-path)",
            "Argument already set!",
        ),
        (
            &["--enable-core-dump", "--enable-core-dump"],
            "(--enable-core-dump)",
            "Argument already set!",
        ),
        (
            &["--concurrency"],
            "(--concurrency)",
            "Missing a value for this argument!",
        ),
        (
            &["--concurrency", "-c", "x"],
            "(--concurrency)",
            "Couldn't read argument value from string '-c'",
        ),
        (
            &["--concurrency", "1.5"],
            "(--concurrency)",
            "Couldn't read argument value from string '1.5'",
        ),
        (
            &["--concurrency", "2 "],
            "(--concurrency)",
            "Couldn't read argument value from string '2 '",
        ),
        (
            &["--concurrency", "4294967296"],
            "(--concurrency)",
            "Couldn't read argument value from string '4294967296'",
        ),
        (
            &["--concurrency", "1 2"],
            "(--concurrency)",
            "More than one valid value parsed from string '1 2'",
        ),
    ] {
        let exit = exit(line);
        assert_eq!(exit.code, 1);
        let begin = format!(
            "PARSE ERROR: Argument: {argument}\n             {text}\n\nBrief USAGE: \n   nuncio  ["
        );
        let end = format!(
            "[--] [--version] [-h]\n\nFor complete USAGE and HELP type: \n   nuncio --help\n\n\
             {argument} -- {text}\n"
        );
        assert!(exit.stderr.starts_with(&begin), "{line:?}: {}", exit.stderr);
        assert!(exit.stderr.ends_with(&end), "{line:?}: {}", exit.stderr);
        assert_eq!(exit.stdout, "");
    }
}

#[test]
fn mistakes_of_meaning() {
    for (line, text) in [
        ("--mode foo", "unknown mode 'foo'"),
        ("--mode foo -l bar", "invalid log level specified 'bar'"),
        ("-l TRACE", "invalid log level specified 'TRACE'"),
        (
            "--component-log-level foo",
            "component log level not correctly specified 'foo'",
        ),
        (
            "--component-log-level http:debug,",
            "component log level not correctly specified ''",
        ),
        (
            "--component-log-level http::debug",
            "component log level not correctly specified 'http::debug'",
        ),
        (
            "--component-log-level foo:debug",
            "invalid component specified 'foo'",
        ),
        (
            "--component-log-level foo:bar",
            "invalid log level specified 'bar'",
        ),
        (
            "--enable-fine-grain-logging --component-log-level http:debug",
            "--component-log-level will not work with --enable-fine-grain-logging",
        ),
        ("--drain-strategy foo", "unknown drain-strategy 'foo'"),
        (
            "--drain-strategy foo --local-address-ip-version v5",
            "unknown IP address version 'v5'",
        ),
        (
            "--restart-epoch 1 --use-dynamic-base-id --stats-tag foo",
            "cannot use --restart-epoch=1 with --use-dynamic-base-id",
        ),
        (
            "--restart-epoch 1",
            "cannot use --restart-epoch=1: hot restart is not supported",
        ),
        ("--stats-tag foo", "misformatted stats-tag 'foo'"),
        (
            "--stats-tag f_o:bar",
            "misformatted stats-tag 'f_o:bar' contains invalid char in 'f_o'",
        ),
        (
            "--stats-tag foo:b.r",
            "misformatted stats-tag 'foo:b.r' contains invalid char in 'b.r'",
        ),
        (
            "--stats-tag a:",
            "misformatted stats-tag 'a:' contains invalid char in ''",
        ),
        ("--socket-mode 9", "invalid socket-mode '9'"),
        (
            "demo -c x",
            "demo brings its own configuration, give no other",
        ),
    ] {
        let exit = exit(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(exit.stderr, format!("error: {text}\n"), "{line}");
        assert_eq!(exit.code, 1);
    }
}

#[test]
fn what_prints_and_ends() {
    let version = format!("\nnuncio  version: {}\n\n", super::version());
    for line in [&["--version"][..], &["--version", "--foo"]] {
        assert_eq!(
            exit(line),
            Exit {
                stdout: version.clone(),
                ..Exit::default()
            }
        );
    }
    for (line, text) in [
        (&["--hot-restart-version"][..], "11.104"),
        (&["--hot-restart-version", "--stats-tag", "x"], "11.104"),
        (
            &["--hot-restart-version", "--disable-hot-restart"],
            "disabled",
        ),
    ] {
        let expected = Exit {
            stderr: text.into(),
            ..Exit::default()
        };
        assert_eq!(exit(line), expected);
    }
    let help = exit(&["--help"]);
    for line in [&["-h", "foo"][..], &["-xh"], &["-help"]] {
        assert_eq!(exit(line), help);
    }
    let text = &help.stdout;
    assert!(text.starts_with("\nUSAGE: \n\n   nuncio  [--admin-address-path <string>]"));
    assert!(text.contains("\n   -c <string>,  --config-path <string>\n     The bootstrap"));
    assert!(text.contains("\n   --stats-tag <string>  (accepted multiple times)\n"));
    assert!(text.contains("\n   --,  --ignore_rest\n"));
    assert!(text.lines().all(|line| line.len() <= 75), "{text}");
}

#[test]
fn what_is_accepted() {
    let given = options(&[
        "-c",
        "a b",
        "--service-cluster foo",
        "--config-yaml",
        "",
        "--mode validate",
        "-l warn",
        "--component-log-level",
        "http:debug,upstream:warn",
        "--concurrency",
        "0",
        "--drain-strategy",
        "immediate",
        "--drain-time-s",
        "",
        "--parent-shutdown-time-s",
        " 7",
        "--local-address-ip-version",
        "v6",
        "--file-flush-interval-msec",
        "50",
        "--stats-tag",
        "a:b:c",
        "--stats-tag",
        "d:e",
        "--disable-extensions",
        "x,y/z",
        "--allow-unknown-fields",
        "-",
        "",
        "--cpuset-threads",
        "--",
        "--foo",
    ]);
    assert_eq!(given.config_path, "a b");
    assert_eq!(given.service_cluster, "foo");
    assert_eq!(
        (given.mode, given.log_level),
        (Mode::Validate, Level::Warning)
    );
    let levels: Vec<_> = given
        .component_log_levels
        .iter()
        .map(|(logger, level)| (logger.name(), *level))
        .collect();
    assert_eq!(
        levels,
        [("http", Level::Debug), ("upstream", Level::Warning)]
    );
    assert_eq!(given.concurrency, 1);
    assert_eq!(given.drain_strategy, DrainStrategy::Immediate);
    assert_eq!(given.drain_time, Duration::from_secs(600));
    assert_eq!(given.parent_shutdown_time, Duration::from_secs(7));
    assert_eq!(given.local_ip_version, LocalIpVersion::V6);
    assert_eq!(given.file_flush_interval, Duration::from_millis(50));
    let tags = [("a", "b:c"), ("d", "e")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(given.stats_tags, tags);
    assert_eq!(given.disabled_extensions, ["x", "y/z"]);
    assert!(given.allow_unknown_static_fields);
    assert_eq!(given.warnings.len(), 2);
    assert_eq!(options(&["--concurrency", "-1"]).concurrency, u32::MAX);
    assert!(options(&["demo", "--log-level", "off"]).demo);
    assert!(options(&[]).config_path.is_empty());
}

/// Each flag is read by `check`: given alone with a fitting value, none is a mistake.
#[test]
fn every_flag_is_accepted() {
    for flag in &FLAGS[..FLAGS.len() - OWN_FLAGS] {
        let value = match flag.long {
            "component-log-level" => "http:debug",
            "drain-strategy" => "gradual",
            "local-address-ip-version" => "v4",
            "log-level" => "info",
            "mode" => "serve",
            "stats-tag" => "a:b",
            "hot-restart-version" => continue,
            "restart-epoch" => "0",
            "reload-static-config" => "never",
            _ => "7",
        };
        let name = format!("--{}", flag.long);
        match flag.takes {
            super::flags::Takes::Nothing => options(&[&name]),
            _ => options(&[&name, value]),
        };
    }
}
