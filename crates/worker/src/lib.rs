//! Runs code on N worker threads and hands values over to them.
