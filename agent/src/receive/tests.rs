//! The listener on real sockets, with a reader whose commits the test decides.
