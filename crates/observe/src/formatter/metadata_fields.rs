//! Commands about metadata and filter state.

use super::command::{Spec, Syntax};
use super::error::FormatError;
use super::json::write_value;
use super::operator::{Operator, Rendered};
use crate::format_cx::FormatCx;
use nuncio_base::metadata::{Metadata, Value};
use std::rc::Rc;

/// Whose metadata.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    Stream,
    Cluster,
    Route,
    VirtualHost,
    Host,
    Listener,
    FilterChain,
}

impl Owner {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "DYNAMIC" => Self::Stream,
            "CLUSTER" => Self::Cluster,
            "ROUTE" => Self::Route,
            "VIRTUAL_HOST" => Self::VirtualHost,
            "UPSTREAM_HOST" => Self::Host,
            "LISTENER" => Self::Listener,
            "LISTENER_FILTER_CHAIN" => Self::FilterChain,
            _ => return None,
        })
    }

    fn metadata<'a>(self, cx: &FormatCx<'a>) -> Option<&'a Metadata> {
        let info = cx.info;
        match self {
            Self::Stream => Some(&info.metadata),
            Self::Cluster => info
                .cluster()
                .and_then(|cluster| cluster.metadata.as_deref()),
            Self::Route => info.route_metadata(),
            Self::VirtualHost => info.virtual_host_metadata.as_deref(),
            Self::Host => info.host_metadata.as_deref(),
            Self::Listener => info.connection.listener_metadata(),
            Self::FilterChain => info.connection.filter_chain_metadata(),
        }
    }
}

/// How an object of the filter state is printed.
#[derive(Debug)]
pub(super) enum StateForm {
    /// As JSON.
    Typed,
    /// As text.
    Plain,
    /// One field, as text.
    Field(Box<str>),
}

#[derive(Debug)]
pub(super) enum MetadataField {
    Metadata {
        owner: Owner,
        namespace: Box<str>,
        path: Box<[Box<str>]>,
    },
    FilterState {
        key: Box<str>,
        form: StateForm,
    },
}

pub(super) fn find(name: &str) -> Option<Spec> {
    Some(match name {
        "DYNAMIC_METADATA" => Spec::with(Syntax::RequiredLength, |_, params| {
            Ok(metadata(Owner::Stream, params))
        }),
        "CLUSTER_METADATA" => Spec::with(Syntax::Required, |_, params| {
            Ok(metadata(Owner::Cluster, params))
        }),
        "UPSTREAM_METADATA" => Spec::with(Syntax::Required, |_, params| {
            Ok(metadata(Owner::Host, params))
        }),
        "METADATA" => Spec::with(Syntax::OptionalLength, |_, params| any_metadata(params)),
        "FILTER_STATE" => Spec::with(Syntax::OptionalLength, |_, params| {
            let (key, form) = filter_state(params)?;
            let key = key.into();
            Ok(Operator::Metadata(MetadataField::FilterState { key, form }))
        }),
        "UPSTREAM_FILTER_STATE" => Spec::with(Syntax::OptionalLength, |_, params| {
            // No extension of the upstream side keeps state of its own.
            filter_state(params).map(|_| Operator::Absent)
        }),
        _ => return None,
    })
}

/// `NAMESPACE:KEY:KEY`
fn metadata(owner: Owner, params: &str) -> Operator {
    let mut parts = params.split(':').map(Box::from);
    Operator::Metadata(MetadataField::Metadata {
        owner,
        namespace: parts.next().unwrap_or_default(),
        path: parts.collect(),
    })
}

/// `TYPE:NAMESPACE:KEY:KEY`
fn any_metadata(params: &str) -> Result<Operator, FormatError> {
    let (owner, rest) = params.split_once(':').unwrap_or((params, ""));
    match Owner::named(owner) {
        Some(owner) => Ok(metadata(owner, rest)),
        None => Err(FormatError::new(format!(
            "{owner} is not supported type of metadata"
        ))),
    }
}

/// `KEY`, `KEY:PLAIN`, `KEY:TYPED` or `KEY:FIELD:NAME`
fn filter_state(params: &str) -> Result<(&str, StateForm), FormatError> {
    let mut parts = params.split(':');
    let mut next = || parts.next().unwrap_or("");
    let (key, form, field) = (next(), next(), next());
    if key.is_empty() {
        return Err(FormatError::new(
            "Invalid filter state configuration, key cannot be empty.",
        ));
    }
    let form = match (form, field) {
        ("" | "TYPED", "") => StateForm::Typed,
        ("PLAIN", "") => StateForm::Plain,
        ("FIELD", field) if !field.is_empty() => StateForm::Field(field.into()),
        ("" | "TYPED" | "PLAIN" | "FIELD", _) => {
            return Err(FormatError::new(
                "Invalid filter state serialize type, FIELD should be used with the field name.",
            ));
        }
        _ => {
            return Err(FormatError::new(
                "Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.",
            ));
        }
    };
    Ok((key, form))
}

impl MetadataField {
    pub(super) fn write(&self, cx: &FormatCx<'_>, out: &mut Vec<u8>) -> Rendered {
        match self {
            Self::Metadata {
                owner,
                namespace,
                path,
            } => {
                let value = owner
                    .metadata(cx)
                    .and_then(|metadata| metadata.get(namespace))
                    .and_then(|value| value.at(path.iter().map(|name| &**name)));
                write_found(value, out)
            }
            Self::FilterState { key, form } => write_filter_state(cx, key, form, out),
        }
    }
}

/// Text as it is, everything else as JSON.
fn write_found(value: Option<&Value>, out: &mut Vec<u8>) -> Rendered {
    match value {
        None | Some(Value::Null) => Rendered::Absent,
        Some(Value::Text(text)) => Rendered::text(out, text),
        Some(value) => {
            write_value(out, value);
            Rendered::Json
        }
    }
}

fn write_filter_state(
    cx: &FormatCx<'_>,
    key: &str,
    form: &StateForm,
    out: &mut Vec<u8>,
) -> Rendered {
    let object = cx.info.filter_state.get(key).map(Rc::clone).or_else(|| {
        let of_connection = cx.info.connection.filter_state.borrow();
        of_connection.get(key).map(Rc::clone)
    });
    let Some(object) = object else {
        return Rendered::Absent;
    };
    match form {
        StateForm::Plain => Rendered::maybe_text(out, object.as_text().as_deref()),
        StateForm::Field(name) => Rendered::maybe_text(out, object.field(name).as_deref()),
        StateForm::Typed => match object.as_value() {
            None => Rendered::Absent,
            Some(value) => {
                write_value(out, &value);
                Rendered::Json
            }
        },
    }
}
