//! Format strings: text, or a JSON format where the input begins with `{`.

use super::stream_info;
use nuncio_base::HeaderMap;
use nuncio_base::metadata::Value;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_base::time;
use nuncio_observe::{AccessLogType, FormatCx, FormatOptions, Formatter};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Takes a format; its first byte chooses options.
pub fn run(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    read_certificates(data);
    let Ok(format) = str::from_utf8(data) else {
        return;
    };
    let options = FormatOptions {
        omit_empty_values: choice & 1 == 1,
        req_without_query: choice & 2 == 2,
    };
    let as_json = choice & 4 == 4;
    let formatter = if as_json {
        // Each line is a field.
        let fields = format.lines().enumerate().map(|(at, line)| {
            let (name, format) = line.split_once('=').unwrap_or((line, line));
            (format!("{at}{name}"), Value::Text(format.into()))
        });
        let fields: BTreeMap<String, Value> = fields.collect();
        Formatter::json(&Value::Struct(Arc::new(fields)), options)
    } else {
        Formatter::with_options(format, options)
    };
    let Ok(formatter) = formatter else {
        return;
    };
    let out = append(&formatter, b"Hash=a");
    if let Some(constant) = formatter.constant() {
        assert_eq!(out, constant);
    }
    if as_json {
        assert!(
            out.starts_with(b"{") && out.ends_with(b"}\n"),
            "{}",
            out.escape_ascii()
        );
        assert!(str::from_utf8(&out).is_ok(), "{}", out.escape_ascii());
        assert!(
            !out[..out.len() - 1].contains(&b'\n'),
            "{}",
            out.escape_ascii()
        );
    }
}

/// Looks for keys in what a client says of certificates.
fn read_certificates(header: &[u8]) {
    let Ok(formatter) = Formatter::parse("%XFCC_VALUE(URI)%%XFCC_VALUE(Hash)%") else {
        return;
    };
    let out = append(&formatter, header);
    assert!(out.len() <= header.len() + 2, "{}", out.escape_ascii());
}

fn append(formatter: &Formatter, certificates: &[u8]) -> Vec<u8> {
    let mut request: HeaderMap = [
        (":method", "GET"),
        (":authority", "a.test"),
        (":path", "/a?b=c&d=%41"),
        ("x-forwarded-for", "203.0.113.9"),
    ]
    .into_iter()
    .collect();
    request.append("x-forwarded-client-cert", certificates);
    request.append("x-bin", b"a\xff\xc3\xa9\"\\\n");
    let response: HeaderMap = [(":status", "200"), ("x-up", "v")].into_iter().collect();
    let info = stream_info();
    let flags = RuntimeFlags::default();
    let cx = FormatCx {
        info: &info,
        request_headers: Some(&request),
        response_headers: Some(&response),
        response_trailers: None,
        local_reply_body: "body",
        log_type: AccessLogType::DownstreamEnd,
        now: time::monotonic(),
        wall: time::wall(),
        random: &|| 7,
        flags: &flags,
    };
    let mut out = Vec::new();
    formatter.append(&cx, &mut out);
    out
}
