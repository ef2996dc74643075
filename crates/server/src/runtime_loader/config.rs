//! `layered_runtime` of the bootstrap, read into layers.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use nuncio_base::metadata::Value;
use nuncio_config::config_source::config_source;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::bootstrap::v3::runtime_layer::{
    DiskLayer as DiskProto, LayerSpecifier,
};
use nuncio_proto::envoy::config::bootstrap::v3::{LayeredRuntime, RuntimeLayer};
use nuncio_proto::google::protobuf::value::Kind;
use nuncio_proto::google::protobuf::{Struct, Value as ProtoValue};

use super::{DiskLayer, Entry, LayerKind, LayerSpec, flatten};
use nuncio_xds::ResourceType;

/// Reads the layers; the service's cluster is part of the paths of those that ask for it.
///
/// # Errors
/// Recorded in `cx`.
pub fn layers(
    cx: &mut ParseCx,
    config: Option<&LayeredRuntime>,
    service_cluster: &str,
) -> Parsed<Vec<LayerSpec>> {
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
    let mut names = HashSet::new();
    let mut admins = 0;
    cx.field("layered_runtime", |cx| {
        cx.list("layers", &config.layers, |cx, layer| {
            let name = &layer.name;
            if !names.insert(name.as_str()) {
                return Err(cx.error_at("name", format!("Duplicate layer name: {name}")));
            }
            Ok(LayerSpec {
                name: name.clone(),
                kind: kind(cx, layer, &mut admins, service_cluster)?,
            })
        })
    })
}

/// Where a layer's entries come from.
fn kind(
    cx: &mut ParseCx,
    layer: &RuntimeLayer,
    admins: &mut u32,
    service_cluster: &str,
) -> Parsed<LayerKind> {
    match &layer.layer_specifier {
        Some(LayerSpecifier::StaticLayer(fields)) => {
            let entries = entries(fields);
            let entries = entries.map_err(|text| cx.error_at("static_layer", text))?;
            Ok(LayerKind::Static(entries))
        }
        Some(LayerSpecifier::AdminLayer(_)) => {
            *admins += 1;
            if *admins > 1 {
                let text = "Too many admin layers specified in LayeredRuntime, at most one may be \
                            specified";
                return Err(cx.error_at("admin_layer", text));
            }
            Ok(LayerKind::Admin)
        }
        Some(LayerSpecifier::DiskLayer(proto)) => {
            cx.field("disk_layer", |cx| disk_layer(cx, proto, service_cluster))
        }
        Some(LayerSpecifier::RtdsLayer(rtds)) => cx.field("rtds_layer", |cx| {
            let source = rtds.rtds_config.as_ref();
            Ok(LayerKind::Rtds {
                name: rtds.name.clone(),
                source: cx.required("rtds_config", source, |cx, source| {
                    config_source(cx, source, ResourceType::Runtime)
                })?,
            })
        }),
        None => Err(cx.error_at("layer_specifier", "is required")),
    }
}

fn disk_layer(cx: &mut ParseCx, proto: &DiskProto, service_cluster: &str) -> Parsed<LayerKind> {
    if proto.symlink_root.is_empty() {
        return Err(cx.error_at("symlink_root", "invalid file path "));
    }
    let root = PathBuf::from(&proto.symlink_root);
    // Joined as texts are: a subdirectory that begins with a slash is below all the same.
    let mut path = format!("{}/{}", proto.symlink_root, proto.subdirectory);
    if proto.append_service_cluster {
        path = format!("{path}/{service_cluster}");
    }
    Ok(LayerKind::Disk(DiskLayer {
        root,
        path: path.into(),
    }))
}

/// The entries of a layer: nested structs become dotted keys.
///
/// # Errors
/// Envoy's text when a value is a list or null.
pub fn entries(fields: &Struct) -> Result<BTreeMap<String, Entry>, String> {
    let mut entries = BTreeMap::new();
    flatten(&structure(fields), &mut entries)?;
    Ok(entries)
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
