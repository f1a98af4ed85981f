//! [`ServerLimits`]: what a connection may take.

use std::time::Duration;

/// What connections may take of a [`Server`](super::Server), in number, bytes and time.
///
/// A connection of HTTP/2 has at most 64 requests at a time.
///
/// A connection is ended when it is the client's turn and nothing happens for too long. How long a
/// handler may take, and how long it waits for the body of a request, is up to the handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// How many connections are open at a time; more are not accepted until one has ended. By
    /// default 16,384. None is 1.
    pub max_connections: usize,
    /// How long a connection may take for its TLS handshake, and how long it may be without a request:
    /// for the first one, for headers that come slowly, and between requests. By default 30 seconds.
    pub header_timeout: Duration,
    /// How many bytes the request line and the headers of a request may have; longer ones are
    /// answered 431. By default 64 KiB. HTTP/1 has at most 100 headers besides.
    pub max_header_bytes: u32,
    /// How long a client may not take anything of a response that is there for it. By default 60
    /// seconds. One of several responses on an HTTP/2 connection may stand still while others move.
    pub write_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            header_timeout: Duration::from_secs(30),
            max_header_bytes: 64 << 10,
            write_timeout: Duration::from_secs(60),
        }
    }
}

impl ServerLimits {
    /// How often it is looked at whether it is the client's turn, while it is not: no less often than
    /// either of its times may end, and not without pause if one is zero.
    pub(super) fn pause(&self) -> Duration {
        self.header_timeout.min(self.write_timeout).max(Duration::from_millis(10))
    }
}
