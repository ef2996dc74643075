//! One HTTP stream through its filters, and the connection manager.
