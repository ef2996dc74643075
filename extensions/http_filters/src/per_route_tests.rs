//! What routes say to filters: which level counts, which filters run, what a cleared route changes.

use crate::testing::Script;
use crate::{Buffer, Cors};

const TYPE: &str = "'@type': type.googleapis.com/envoy.extensions.filters.http.buffer.v3";
const SWITCH: &str = "'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig";

fn limit(bytes: u32) -> String {
    format!("{TYPE}.BufferPerRoute, buffer: {{max_request_bytes: {bytes}}}")
}

/// The bytes that pass a filter with a limit of 4, given what virtual host and route say to it.
fn passes(disabled: bool, host: &str, route: &str, body: &'static str) -> bool {
    let level = |config: &str| match config {
        "" => String::new(),
        config => format!("typed_per_filter_config: {{b: {{{config}}}}}"),
    };
    let host = level(host);
    let comma = if host.is_empty() { "" } else { ", " };
    let routes = format!(
        "{host}{comma}routes: [{{match: {{prefix: /}}, route: {{cluster: c}}, {}}}]",
        level(route)
    );
    let outcome = Script::new()
        .named_filter::<Buffer>("b", "max_request_bytes: 4", disabled)
        .routes(&routes)
        .body(&[body])
        .run();
    outcome.downstream == ":status=200"
}

#[test]
fn the_most_specific_level_counts() {
    let off = format!("{SWITCH}, disabled: true");
    let on = format!("{SWITCH}, config: {{}}");
    let nested = format!("{SWITCH}, config: {{{}}}", limit(2));
    for (disabled, host, route, most) in [
        (false, "", "", 4),
        (false, &*limit(6), "", 6),
        (false, &limit(6), &limit(2), 2),
        // Turned off, with or without a limit for it.
        (true, "", "", 9),
        (false, "", &off, 9),
        (false, &off, &limit(2), 2),
        (false, &off, "", 9),
        // Turned on: by a switch, which says no more, or by a limit.
        (true, "", &on, 4),
        (true, &limit(6), &on, 6),
        (true, "", &limit(6), 6),
        (true, "", &nested, 2),
    ] {
        let texts = ["12", "1234", "123456", "123456789"];
        for text in texts {
            let passes = passes(disabled, host, route, text);
            assert_eq!(
                passes,
                text.len() <= most,
                "{disabled} {host} {route} {text}"
            );
        }
    }
}

#[test]
fn filters_are_addressed_by_their_names_in_the_chain() {
    let routes = format!(
        "routes: [{{match: {{prefix: /}}, route: {{cluster: c}}, typed_per_filter_config: {{
           two: {{{}}}, none: {{{}}}}}}}]",
        limit(2),
        limit(1),
    );
    let outcome = Script::new()
        .named_filter::<Buffer>("one", "max_request_bytes: 3", false)
        .named_filter::<Cors>("envoy.filters.http.buffer", "{}", false)
        .named_filter::<Buffer>("two", "max_request_bytes: 9", false)
        .routes(&routes)
        .body(&["123"])
        .run();
    assert!(outcome.downstream.starts_with(":status=413"));
    assert_eq!(outcome.upstream, "");
}
