//! Envoy's API: types, reflection tables, loading, validation.
//!
//! Everything about configs that is the same for all of them: [`load`] makes a file or an xDS
//! resource into checked wire bytes, [`any`] gets extensions' configs out, [`json`] prints what the
//! admin shows. They run on [`reflect`]'s static tables, which the build script takes from the
//! descriptors of the pinned crate envoy-types; nothing of the descriptors is resident at run time.
//! The generated types are re-exported here, and named from nowhere else.

pub mod any;
pub mod diff;
pub mod error;
pub mod extra;
pub mod json;
pub mod load;
pub mod packed;
pub mod path;
pub mod reflect;
pub mod source;
pub mod validate;
pub mod wire;

mod suggest;
mod tables;
mod text_proto;
mod transcode;
mod tree;

pub use envoy_types::pb::{envoy, google, opentelemetry, xds};
pub use prost::{Message, Name};

pub use error::{ConfigError, ConfigErrors, ErrorKind, Location, Warning, WarningKind};
pub use load::{Format, Loaded, Options, UnknownFields};
pub use packed::Packed;
pub use path::FieldPath;
