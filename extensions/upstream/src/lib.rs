//! Load-balancing policies, cluster types, upstream protocol options.
