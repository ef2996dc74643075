//! Which host, which connection: clusters, load balancing, pools.
