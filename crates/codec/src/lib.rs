//! Sans-I/O HTTP codecs: bytes to frames and back.
