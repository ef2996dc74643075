//! What an extension of each kind provides, and the registry of them.
