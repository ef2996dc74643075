//! Patterns and what Envoy 1.40 made of them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use nuncio_base::log::{DEFAULT_FORMAT, Level, Record, Sink, logger};
use nuncio_base::options::Options;

use super::local_time::LocalTime;
use super::pattern::{Line, Pattern};
use super::{ApplicationLog, ApplicationLogFormat, Output, State};

fn record(message: std::fmt::Arguments<'_>) -> Record<'_> {
    Record {
        logger: &logger::MAIN,
        level: Level::Critical,
        file: "source/server/server.cc",
        line: 449,
        module: "nuncio_server::initialize",
        message,
    }
}

fn formatted(pattern: &str, message: &str, offset: i64) -> String {
    let time = UNIX_EPOCH + Duration::new(1_795_249_827, 579_653_000);
    let line = Line {
        record: &record(format_args!("")),
        message,
        time: &LocalTime::at_offset(time, offset),
        thread: 10_928,
        process: 10_927,
        elapsed: Duration::from_micros(1_639),
    };
    let mut out = String::new();
    Pattern::parse(pattern).write(&mut out, &line);
    out
}

#[test]
fn patterns() {
    for (pattern, expected) in [
        (
            DEFAULT_FORMAT,
            "[2026-11-21 08:30:27.579][10928][critical][main] [source/server/server.cc:449] \
             a\n\"b\"",
        ),
        ("%L %_", "C a\\n\"b\""),
        ("%j", "a\\n\\\"b\\\""),
        ("%+", "a\\n\\\"b\\\""),
        ("%*|%v", "|a\n\"b\""),
        ("%q %^%n%$ %k", "%q main %k"),
        (
            "%10l|%-10l|%=10l|%3!l|",
            "  critical|critical  | critical |cri|",
        ),
        (
            "%5q|%3!|%!|%-8n|%=7t|%02n|%3!n",
            "%q|initialize|initialize|main    | 10928 |main|mai",
        ),
        (
            "%a %A %b %h %B %c %C %D %x %X %H %I %M %S %e %f %F",
            "Sat Saturday Nov Nov November Sat Nov 21 08:30:27 2026 26 11/21/26 11/21/26 08:30:27 \
             08 08 30 27 579 579653 579653000",
        ),
        (
            "%p %r %R %T %z %E %% %P %@ %s %! %o %i %u %O",
            "AM 08:30:27 AM 08:30 08:30:27 +00:00 1795249827 % 10927 source/server/server.cc:449 \
             server.cc initialize 1 1639 1639000 0",
        ),
        ("%Y-%m-%d", "2026-11-21"),
        ("%", ""),
        ("%5", ""),
    ] {
        assert_eq!(formatted(pattern, "a\n\"b\"", 0), expected, "{pattern}");
    }
    let widest = formatted("%99999999999999999999999!n", "", 0);
    assert_eq!(widest, format!("{:>64}", "main"));
    let tokyo = formatted("%T %z %p %I", "", 9 * 3_600);
    assert_eq!(tokyo, "17:30:27 +09:00 PM 05");
    assert_eq!(formatted("%T %z", "", -12_600), "05:00:27 -03:30");
    let tagged = "[Tags: \"ConnectionId\":\"7\"] text\t";
    for (pattern, expected) in [
        ("%v", tagged),
        ("%*", ",\"ConnectionId\":\"7\""),
        ("%+", "text\\t"),
        ("%j", "[Tags: \\\"ConnectionId\\\":\\\"7\\\"] text\\t"),
    ] {
        assert_eq!(formatted(pattern, tagged, 0), expected, "{pattern}");
    }
}

fn in_memory(options: &Options) -> (ApplicationLog, Arc<Mutex<Vec<u8>>>) {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let mut state = State::new(options);
    state.output = Output::Memory(bytes.clone());
    (ApplicationLog(Arc::new(Mutex::new(state))), bytes)
}

fn text(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8(std::mem::take(&mut *bytes.lock().unwrap())).unwrap()
}

#[test]
fn formats_of_the_bootstrap() {
    let (log, bytes) = in_memory(&Options::default());
    for (format, expected) in [
        (
            ApplicationLogFormat::Text("A %l %v".into()),
            "A critical x\"y\n",
        ),
        (
            ApplicationLogFormat::Json("{\"l\":\"%l\",\"m\":\"%j\"}".into()),
            "{\"l\":\"critical\",\"m\":\"x\\\"y\"}\n",
        ),
    ] {
        log.set_format(&format).unwrap();
        log.log(&record(format_args!("x\"{}", 'y')));
        assert_eq!(text(&bytes), expected);
    }
    let error = log.set_format(&ApplicationLogFormat::Json("{\"m\":\"%v\"}".into()));
    assert_eq!(
        error.unwrap_err(),
        "setJsonLogFormat error: INVALID_ARGUMENT: Usage of %v is unavailable for JSON log formats"
    );
    let (log, bytes) = in_memory(&Options {
        log_format: Some("%v".into()),
        log_format_escaped: true,
        ..Options::default()
    });
    let error = log.set_format(&ApplicationLogFormat::Text("%v".into()));
    assert_eq!(
        error.unwrap_err(),
        "Only one of ApplicationLogConfig.log_format or CLI option --log-format can be specified."
    );
    log.log(&record(format_args!("a\n'é'")));
    assert_eq!(text(&bytes), "a\\n\\'\\303\\251\\'\n");
}

#[test]
fn a_file_is_opened_again() {
    let path = std::env::temp_dir().join(format!("nuncio-log-{}", std::process::id()));
    let (log, _) = in_memory(&Options {
        log_format: Some("%v".into()),
        ..Options::default()
    });
    let name = path.to_str().unwrap();
    log.open(name).unwrap();
    log.log(&record(format_args!("one")));
    let moved = path.with_extension("1");
    std::fs::rename(&path, &moved).unwrap();
    log.reopen();
    log.log(&record(format_args!("two")));
    assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
    for path in [&path, &moved] {
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(
        log.open("/nonexistent/x").unwrap_err(),
        "Failed to open log-file '/nonexistent/x'. e.what(): unable to open file \
         '/nonexistent/x': No such file or directory"
    );
}
