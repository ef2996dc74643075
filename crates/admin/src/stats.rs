//! `/stats` and `/stats/prometheus`: the stats, in pieces.

use nuncio_matching::regex::Substitution;
use nuncio_stats::{Format, NameMatcher, StatsQuery};

use crate::response::AdminBody;
use crate::{AdminResponse, Call};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    render(call, false)
}

pub(crate) fn prometheus(call: &Call<'_>) -> AdminResponse {
    render(call, true)
}

fn render(call: &Call<'_>, prometheus: bool) -> AdminResponse {
    let parameters = call.parameters();
    let parameters = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let query = match StatsQuery::parse(parameters, prometheus, compile) {
        Ok(query) => query,
        Err(text) => return AdminResponse::error(400, text),
    };
    call.server.before_stats();
    let json = query.format == Format::Json;
    let mut response = AdminResponse::text("");
    if json {
        response.content_type = "application/json";
    }
    response.body = AdminBody::Pieces(Box::new(
        call.server
            .stats()
            .render(query, call.server.endpoint_stats()),
    ));
    response
}

/// A regex that searches: what a substitution looks for.
fn compile(pattern: &str) -> Result<NameMatcher, String> {
    let regex = Substitution::new(pattern, "")
        .map_err(|error| format!("Invalid re2 regex: {}", error.message()))?;
    Ok(Box::new(move |name: &str| regex.is_match(name.as_bytes())))
}
