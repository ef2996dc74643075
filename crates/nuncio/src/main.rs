//! Nuncio: Envoy, written anew. Parses the command line, lists the extensions, starts.

fn main() {}
