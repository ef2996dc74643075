//! Bytes, headers, time, randomness, runtime flags: no I/O, no protos, no decisions.
//!
//! Everything above speaks in these types, so they are small, cheap to reuse and free of policy.

pub mod address;
pub mod base64;
pub mod buffer;
pub mod bug;
pub mod hash;
pub mod header_case;
pub mod header_map;
pub mod header_name;
pub mod header_value;
pub mod hex;
pub mod ip_text;
pub mod known_name;
pub mod log;
pub mod metadata;
pub mod options;
pub mod random;
pub mod runtime_flags;
pub mod sixteen;
pub mod slab;
pub mod time;
pub mod timer_wheel;
pub mod token_bucket;
pub mod version;

pub use buffer::Buffer;
pub use header_map::HeaderMap;
pub use header_name::{HeaderName, Known, names};
