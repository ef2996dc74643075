//! `layered_runtime` of the bootstrap, read into layers.

use std::collections::BTreeMap;

use nuncio_base::metadata::Value;
use nuncio_proto::envoy::config::bootstrap::v3::runtime_layer::LayerSpecifier;
use nuncio_proto::envoy::config::bootstrap::v3::{LayeredRuntime, RuntimeLayer};
use nuncio_proto::google::protobuf::value::Kind;
use nuncio_proto::google::protobuf::{Struct, Value as ProtoValue};
use nuncio_proto::{ConfigError, ErrorKind, FieldPath};

use super::{LayerKind, LayerSpec, flatten};

/// Reads the layers; all mistakes are told.
pub fn layers(config: Option<&LayeredRuntime>) -> Result<Vec<LayerSpec>, Vec<ConfigError>> {
    let Some(config) = config else {
        return Ok(Vec::new());
    };
    if config.layers.is_empty() {
        // Present but empty: Envoy then has an admin layer without a name.
        return Ok(vec![LayerSpec {
            name: String::new(),
            kind: LayerKind::Admin,
        }]);
    }
    let mut layers: Vec<LayerSpec> = Vec::new();
    let mut errors = Vec::new();
    for (index, layer) in config.layers.iter().enumerate() {
        let mut error = |field, text: String| {
            let mut path = FieldPath::new();
            path.push("layered_runtime");
            path.push("layers");
            path.push_index(index);
            path.push(field);
            errors.push(ConfigError::of(ErrorKind::Semantic, path, text));
        };
        if layers.iter().any(|other| other.name == layer.name) {
            error("name", format!("Duplicate layer name: {}", layer.name));
        }
        match kind(layer, &layers) {
            Ok(kind) => layers.push(LayerSpec {
                name: layer.name.clone(),
                kind,
            }),
            Err((field, text)) => error(field, text),
        }
    }
    if errors.is_empty() {
        Ok(layers)
    } else {
        Err(errors)
    }
}

/// Where a layer's entries come from, or which field is wrong and how.
fn kind(layer: &RuntimeLayer, before: &[LayerSpec]) -> Result<LayerKind, (&'static str, String)> {
    match &layer.layer_specifier {
        Some(LayerSpecifier::StaticLayer(fields)) => {
            let mut entries = BTreeMap::new();
            flatten(&structure(fields), &mut entries).map_err(|text| ("static_layer", text))?;
            Ok(LayerKind::Static(entries))
        }
        Some(LayerSpecifier::AdminLayer(_)) => {
            if before.iter().any(|other| other.kind == LayerKind::Admin) {
                let text = "Too many admin layers specified in LayeredRuntime, at most one may be \
                            specified";
                return Err(("admin_layer", text.into()));
            }
            Ok(LayerKind::Admin)
        }
        Some(LayerSpecifier::DiskLayer(_)) => {
            Err(("disk_layer", "disk_layer is not supported yet".into()))
        }
        Some(LayerSpecifier::RtdsLayer(_)) => {
            Err(("rtds_layer", "rtds_layer is not supported yet".into()))
        }
        None => Err(("layer_specifier", "is required".into())),
    }
}

fn structure(fields: &Struct) -> BTreeMap<String, Value> {
    let fields = fields.fields.iter();
    fields
        .map(|(name, field)| (name.clone(), value(field)))
        .collect()
}

/// Depth is bounded by that of a loaded message.
fn value(proto: &ProtoValue) -> Value {
    match &proto.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(*value),
        Some(Kind::NumberValue(number)) => Value::Number(*number),
        Some(Kind::StringValue(text)) => Value::Text(text.as_str().into()),
        Some(Kind::ListValue(list)) => Value::List(list.values.iter().map(value).collect()),
        Some(Kind::StructValue(fields)) => Value::Struct(structure(fields).into()),
    }
}
