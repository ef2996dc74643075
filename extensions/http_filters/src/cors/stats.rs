//! `http.<stat_prefix>.cors.…`.

nuncio_stats::stat_group! {
    /// The filter's stats.
    pub struct CorsStats {
        counters { origin_invalid, origin_valid }
    }
}
