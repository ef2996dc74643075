//! `/stats` and `/stats/prometheus`: the stats, in pieces.

use nuncio_matching::regex::Substitution;
use nuncio_stats::{Format, NameMatcher, StatsQuery};

use crate::response::AdminBody;
use crate::{AdminResponse, Call, stats_page};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    render(call, false)
}

pub(crate) fn prometheus(call: &Call<'_>) -> AdminResponse {
    render(call, true)
}

fn render(call: &Call<'_>, prometheus: bool) -> AdminResponse {
    let parameters = call.parameters();
    let given = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let query = match StatsQuery::parse(given, prometheus, compile) {
        Ok(query) => query,
        Err(text) => return AdminResponse::error(400, text),
    };
    call.server.before_stats();
    let format = query.format;
    let others = call.server.endpoint_stats();
    let pieces = call.server.stats().render(query, others);
    let mut response = match format {
        Format::Text | Format::Json | Format::Prometheus => AdminResponse::text(""),
        Format::Html | Format::ActiveHtml => AdminResponse::html(String::new()),
    };
    response.body = AdminBody::Pieces(match format {
        Format::Text | Format::Json | Format::Prometheus => Box::new(pieces),
        Format::Html => Box::new(stats_page::around(pieces, &parameters, false)),
        Format::ActiveHtml => Box::new(stats_page::around(pieces.take(0), &parameters, true)),
    });
    if format == Format::Json {
        response.content_type = "application/json";
    }
    response
}

/// A regex that searches: what a substitution looks for.
fn compile(pattern: &str) -> Result<NameMatcher, String> {
    let regex = Substitution::new(pattern, "")
        .map_err(|error| format!("Invalid re2 regex: {}", error.message()))?;
    Ok(Box::new(move |name: &str| regex.is_match(name.as_bytes())))
}
