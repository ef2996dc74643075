//! Does this value match? String, header, path, range and address matchers.
