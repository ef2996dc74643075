//! Says what happened: substitution formats, access logs.
