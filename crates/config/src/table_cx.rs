//! What holds for all routes of a table while they are converted.

use nuncio_route::ClusterTree;
use std::collections::HashMap;

/// What a table says to its routes.
pub struct TableCx {
    /// How many bytes the body of a direct response may have.
    pub max_body: usize,
    /// The cluster specifier plugins by name; `None` is one that is optional and not known.
    pub plugins: HashMap<String, Option<ClusterTree>>,
}
