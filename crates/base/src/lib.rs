//! Bytes, headers, time, randomness, runtime flags: no I/O and no decisions.
