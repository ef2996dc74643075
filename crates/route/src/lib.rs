//! Which route, and what it prescribes: route tables as data.
