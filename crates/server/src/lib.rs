//! Owns it all on the main thread: managers, admin, lifecycle.
