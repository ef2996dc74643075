//! Answers the admin port: one file per endpoint.
