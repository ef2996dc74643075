//! What the filter is configured with.

use super::decoder::{Codec, Fault, Library};
use nuncio_base::HeaderName;
use nuncio_base::runtime_flags::RuntimeFlag;
use nuncio_stats::{Group, Scope, stat_group};

stat_group! {
    /// What is counted of a direction.
    pub struct DirectionStats {
        counters {
            decompressed,
            not_decompressed,
            total_compressed_bytes,
            total_uncompressed_bytes,
        }
    }
}

stat_group! {
    /// What is counted of gzip's faults.
    pub struct ZlibStats {
        counters {
            zlib_buf_error,
            zlib_data_error,
            zlib_errno,
            zlib_mem_error,
            zlib_stream_error,
            zlib_version_error,
        }
    }
}

stat_group! {
    /// What is counted of Brotli's faults.
    pub struct BrotliStats {
        counters {
            brotli_error,
            brotli_output_overflow,
            brotli_redundant_input,
        }
    }
}

stat_group! {
    /// What is counted of Zstandard's faults.
    pub struct ZstdStats {
        counters {
            zstd_checksum_wrong_error,
            zstd_dictionary_error,
            zstd_generic_error,
            zstd_memory_error,
        }
    }
}

/// What is counted of a library.
#[derive(Clone)]
pub enum LibraryStats {
    /// Of gzip.
    Zlib(ZlibStats),
    /// Of Brotli.
    Brotli(BrotliStats),
    /// Of Zstandard.
    Zstd(ZstdStats),
}

impl LibraryStats {
    /// Those of a library, under a scope.
    pub fn new(codec: Codec, scope: &Scope) -> Self {
        match codec {
            Codec::Gzip(_) => Self::Zlib(scope.group().local()),
            Codec::Brotli => Self::Brotli(scope.group().local()),
            Codec::Zstd => Self::Zstd(scope.group().local()),
        }
    }

    /// Counts a fault, as the library's own stats tell it.
    pub fn count(&self, fault: Fault) {
        match (self, fault) {
            (Self::Zlib(stats), Fault::Memory) => stats.zlib_mem_error().inc(),
            (Self::Zlib(stats), _) => stats.zlib_data_error().inc(),
            (Self::Brotli(stats), fault) => {
                stats.brotli_error().inc();
                match fault {
                    Fault::Overflow => stats.brotli_output_overflow().inc(),
                    Fault::Redundant => stats.brotli_redundant_input().inc(),
                    _ => {}
                }
            }
            (Self::Zstd(stats), Fault::Checksum) => stats.zstd_checksum_wrong_error().inc(),
            (Self::Zstd(stats), Fault::Dictionary) => stats.zstd_dictionary_error().inc(),
            (Self::Zstd(stats), Fault::Memory) => stats.zstd_memory_error().inc(),
            (Self::Zstd(stats), _) => stats.zstd_generic_error().inc(),
        }
    }
}

/// The settings of one direction.
pub struct DirectionSettings {
    /// Whether it is decompressed.
    pub enabled: RuntimeFlag,
    /// Whether that `cache-control` says `no-transform` is ignored.
    pub ignore_no_transform: bool,
    /// What is counted.
    pub stats: Group<DirectionStats>,
}

/// The filter's settings.
pub struct Settings {
    /// The library.
    pub library: Library,
    /// Where the library's stats are, once there are any.
    pub library_scope: Scope,
    /// Requests.
    pub request: DirectionSettings,
    /// Responses.
    pub response: DirectionSettings,
    /// Whether upstreams are told that the library's coding is taken.
    pub advertise: bool,
    /// The trailer with how long a body was as it came.
    pub compressed_bytes: HeaderName,
    /// The trailer with how long it was afterwards.
    pub uncompressed_bytes: HeaderName,
}
