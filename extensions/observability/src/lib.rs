//! Access loggers and formatters.
