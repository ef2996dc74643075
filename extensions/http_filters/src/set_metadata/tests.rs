//! What requests carry behind the filter.

use super::SetMetadata;
use crate::testing::{Script, errors};
use nuncio_base::metadata::Value;

#[test]
fn values_are_merged_where_they_may() {
    let config = "
      metadata_namespace: ns
      value: {a: [1], b: {x: 1}, c: s}
      metadata:
      - {metadata_namespace: ns, value: {a: [2]}}
      - {metadata_namespace: ns, allow_overwrite: true, value: {a: [3], b: {y: 2}, c: 5}}
      - {metadata_namespace: other, value: {z: true}}";
    let outcome = Script::new().filter(&SetMetadata, config).run();
    let ns = outcome.metadata.get("ns").unwrap();
    let number = |number: f64| Value::Number(number);
    let list = Value::List([number(1.0), number(3.0)].into());
    for (path, expected) in [
        (&["a"][..], list),
        (&["b", "x"], number(1.0)),
        (&["b", "y"], number(2.0)),
        (&["c"], number(5.0)),
    ] {
        assert_eq!(ns.at(path.iter().copied()), Some(&expected), "{path:?}");
    }
    let other = outcome.metadata.get("other").unwrap();
    assert_eq!(other.at(["z"]), Some(&Value::Bool(true)));
    assert_eq!(outcome.stat("http.test.set_metadata.overwrite_denied"), 1);
}

#[test]
fn typed_values_are_refused() {
    let config = "{metadata: [{metadata_namespace: a, typed_value: {'@type': \
                  type.googleapis.com/google.protobuf.StringValue, value: x}}]}";
    assert!(errors(&SetMetadata, config).contains("typed_value is not supported by this build"));
}
