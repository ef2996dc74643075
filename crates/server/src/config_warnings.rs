//! What loads and should be told: fields that were skipped, deprecated ones, keys given twice.

use crate::runtime_loader::RuntimeLoader;
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_proto::path::Step;
use nuncio_proto::{FieldPath, Loaded, WarningKind};
use nuncio_stats::Scope;

/// Logs the warnings of a config; `--skip-deprecated-logs` leaves out what is deprecated.
pub fn log(loaded: &Loaded, skip_deprecated: bool) {
    for warning in &loaded.warnings {
        match warning.kind {
            WarningKind::Deprecated if skip_deprecated => {}
            WarningKind::Deprecated => log!(logger::MISC, Level::Warning, "{warning}"),
            WarningKind::UnknownField => {
                let text = warning.unknown_field(loaded.message.name());
                log!(logger::CONFIG, Level::Warning, "{text}");
            }
            WarningKind::DuplicateKey => log!(logger::CONFIG, Level::Warning, "{warning}"),
        }
    }
}

/// Counts them: `server.static_unknown_fields` and `runtime.deprecated_feature_*`.
pub fn count(loaded: &Loaded, server: &Scope, runtime: &RuntimeLoader) {
    let unknown = server.counter("static_unknown_fields");
    for warning in &loaded.warnings {
        match warning.kind {
            WarningKind::UnknownField => unknown.inc(),
            WarningKind::Deprecated if is_of_extension(&warning.path) => {
                runtime.count_deprecated_feature();
            }
            WarningKind::Deprecated | WarningKind::DuplicateKey => {}
        }
    }
}

/// Whether a field belongs to an extension's configuration. As in Envoy only these count: it checks
/// the bootstrap's own fields before there is a runtime to count in.
fn is_of_extension(path: &FieldPath) -> bool {
    let is_typed = |step: &Step| matches!(step, Step::Field(name) if name.starts_with("typed_"));
    path.steps().iter().any(is_typed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_extensions_use_counts() {
        let cases: [(&[&'static str], bool); 3] = [
            (
                &[
                    "static_resources",
                    "clusters",
                    "max_requests_per_connection",
                ],
                false,
            ),
            (
                &[
                    "static_resources",
                    "listeners",
                    "typed_config",
                    "route_config",
                ],
                true,
            ),
            (&["typed_per_filter_config", "a"], true),
        ];
        for (fields, counts) in cases {
            let mut path = FieldPath::new();
            fields.iter().for_each(|field| path.push(field));
            assert_eq!(is_of_extension(&path), counts, "{path}");
        }
    }
}
