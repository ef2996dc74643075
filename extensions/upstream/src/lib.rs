//! Extensions of clusters: load-balancing policies, cluster types, protocol options.

pub mod load_balancing_policies;
