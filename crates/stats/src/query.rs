//! What `/stats?…` asks for (Envoy's "Administration interface").

use crate::config::NameMatcher;

/// The parameters of `/stats` and `/stats/prometheus`.
#[derive(Default)]
pub struct StatsQuery {
    /// `format`.
    pub format: Format,
    /// `usedonly`: only stats that were ever written.
    pub used_only: bool,
    /// `filter`: only stats whose full name matches.
    pub filter: Option<NameMatcher>,
    /// `invert_filter`: only those that don't.
    pub invert_filter: bool,
    /// `type`; the Prometheus format pays no heed to it.
    pub kinds: Kinds,
    /// `hidden=only`: only stats that are not shown otherwise, of which there are none.
    pub hidden_only: bool,
    /// `histogram_buckets`.
    pub histogram_buckets: HistogramBuckets,
    /// `text_readouts`: as gauges in the Prometheus format.
    pub text_readouts: bool,
}

/// `format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A line per stat.
    #[default]
    Text,
    /// One object.
    Json,
    /// Prometheus' text exposition format.
    Prometheus,
    /// A page: the text is the same.
    Html,
    /// A page that shows what changes.
    ActiveHtml,
}

/// `type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kinds {
    /// All kinds.
    #[default]
    All,
    /// Counters.
    Counters,
    /// Gauges.
    Gauges,
    /// Histograms.
    Histograms,
    /// Text readouts.
    TextReadouts,
}

/// `histogram_buckets`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistogramBuckets {
    /// Not given: quantiles; in the Prometheus format buckets.
    #[default]
    Unset,
    /// Counts at or below each bound.
    Cumulative,
    /// Counts between bounds.
    Disjoint,
    /// All bins.
    Detailed,
    /// Quantiles.
    Summary,
}

const FORMAT_USAGE: &str = "usage: /stats?format=(html|active-html|json|prometheus|text)\n\n";
const HIDDEN_USAGE: &str = "usage: /stats?hidden=(include|only|exclude)\n\n";
const BUCKETS_USAGE: &str =
    "usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary|prometheusnative)\n";

impl StatsQuery {
    /// Reads the decoded parameters; `prometheus` for the path `/stats/prometheus`, where
    /// `format` says nothing. `compile` makes a matcher of a RE2 regex that searches in names.
    /// An error is the body of a 400, in Envoy's words.
    pub fn parse<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
        prometheus: bool,
        compile: impl Fn(&str) -> Result<NameMatcher, String>,
    ) -> Result<Self, String> {
        let mut query = Self::default();
        let (mut format, mut buckets, mut kinds, mut hidden) = ("", "", "", "");
        let mut filter = "";
        // The first of a repeated parameter counts.
        let first = |known: &mut &'a str, value: &'a str| {
            if known.is_empty() {
                *known = value;
            }
        };
        for (name, value) in parameters {
            match name {
                "usedonly" => query.used_only = true,
                "invert_filter" => query.invert_filter = true,
                "text_readouts" => query.text_readouts = true,
                "filter" => first(&mut filter, value),
                "histogram_buckets" => first(&mut buckets, value),
                "hidden" => first(&mut hidden, value),
                "type" => first(&mut kinds, value),
                "format" => first(&mut format, value),
                _ => {}
            }
        }
        if !filter.is_empty() {
            query.filter = Some(compile(filter)?);
        }
        if prometheus {
            format = "prometheus";
        }
        query.histogram_buckets = parse_buckets(buckets, format == "prometheus")?;
        query.hidden_only = match hidden {
            "" | "include" | "exclude" => false,
            "only" => true,
            _ => return Err(HIDDEN_USAGE.to_owned()),
        };
        query.kinds = match kinds {
            "" | "All" => Kinds::All,
            "Counters" => Kinds::Counters,
            "Gauges" => Kinds::Gauges,
            "Histograms" => Kinds::Histograms,
            "TextReadouts" => Kinds::TextReadouts,
            _ => return Err("invalid &type= param".to_owned()),
        };
        query.format = match format {
            "" | "text" => Format::Text,
            "json" => Format::Json,
            "prometheus" => Format::Prometheus,
            "html" => Format::Html,
            "active-html" => Format::ActiveHtml,
            _ => return Err(FORMAT_USAGE.to_owned()),
        };
        Ok(query)
    }

    /// Whether a stat of this name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let found = |filter: &NameMatcher| filter(name) != self.invert_filter;
        !self.hidden_only && self.filter.as_ref().is_none_or(found)
    }
}

fn parse_buckets(text: &str, prometheus: bool) -> Result<HistogramBuckets, String> {
    let buckets = match text {
        "none" if prometheus => HistogramBuckets::Summary,
        "" | "none" => HistogramBuckets::Unset,
        "cumulative" => HistogramBuckets::Cumulative,
        "disjoint" => HistogramBuckets::Disjoint,
        "detailed" => HistogramBuckets::Detailed,
        "summary" => HistogramBuckets::Summary,
        "prometheusnative" if prometheus => {
            return Err(
                "unsupported prometheusnative histogram type when not using protobuf \
                        exposition format"
                    .to_owned(),
            );
        }
        "prometheusnative" => {
            return Err("Invalid histogram_buckets type for non prometheus stats type".to_owned());
        }
        _ => return Err(BUCKETS_USAGE.to_owned()),
    };
    match buckets {
        HistogramBuckets::Disjoint | HistogramBuckets::Detailed if prometheus => {
            Err("unsupported prometheus histogram bucket mode".to_owned())
        }
        _ => Ok(buckets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parameters: &[(&str, &str)], prometheus: bool) -> Result<StatsQuery, String> {
        StatsQuery::parse(parameters.iter().copied(), prometheus, |text| match text {
            "(" => Err("Invalid re2 regex".to_owned()),
            text => {
                let text = text.to_owned();
                Ok(Box::new(move |name: &str| name.contains(&text)))
            }
        })
    }

    #[test]
    fn refused_parameters() {
        let cases = [
            (("format", "x"), false, FORMAT_USAGE),
            (("histogram_buckets", "x"), false, BUCKETS_USAGE),
            (("histogram_buckets", "x"), true, BUCKETS_USAGE),
            (("hidden", "x"), false, HIDDEN_USAGE),
            (("type", "counters"), false, "invalid &type= param"),
            (("filter", "("), false, "Invalid re2 regex"),
            (
                ("histogram_buckets", "detailed"),
                true,
                "unsupported prometheus histogram bucket mode",
            ),
            (
                ("histogram_buckets", "disjoint"),
                true,
                "unsupported prometheus histogram bucket mode",
            ),
        ];
        for (parameter, prometheus, error) in cases {
            assert_eq!(parse(&[parameter], prometheus).err().unwrap(), error);
        }
    }

    #[test]
    fn accepted_parameters() {
        let query = parse(
            &[
                ("usedonly", ""),
                ("filter", "a"),
                ("format", "json"),
                ("unknown", "x"),
                ("type", "Gauges"),
            ],
            false,
        )
        .unwrap();
        assert!(query.used_only && query.format == Format::Json && query.kinds == Kinds::Gauges);
        assert!(query.wants("xa") && !query.wants("b"));
        let query = parse(
            &[("filter", "a"), ("invert_filter", ""), ("format", "x")],
            true,
        )
        .unwrap();
        assert_eq!(query.format, Format::Prometheus);
        assert!(!query.wants("xa") && query.wants("b"));
    }
}
