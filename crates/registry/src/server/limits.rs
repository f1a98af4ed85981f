//! [`ServerLimits`]: what a connection may take.

use std::time::Duration;

/// What connections may take of a [`Server`](super::Server), in number, bytes and time.
///
/// Times bound the client alone. How long a handler may take, and how long it waits for the body of a request,
/// is up to the handler. A time below 10 ms is 10 ms; one above 10 years is 10 years.
///
/// A connection of HTTP/2 has at most 64 requests at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// How many connections are open at a time; more are not accepted until one has ended. By
    /// default 16,384. None is 1.
    pub max_connections: usize,
    /// How long a connection may take for its TLS handshake, and how long it may be without a request in
    /// flight: before the first one, while headers arrive slowly, and between requests. Only requests count:
    /// a client that sends control frames of HTTP/2, such as `PING`, is idle. By default 30 seconds.
    pub header_timeout: Duration,
    /// How many bytes the request line and the headers of a request may have; longer ones are
    /// answered 431. By default 64 KiB. HTTP/1 has at most 100 headers besides.
    pub max_header_bytes: u32,
    /// How long a client may take for the next 4 KiB of the body of a response, or its end, while there is
    /// something to take. By default 60 seconds. Only bytes of that body count, when they are written to
    /// the socket. An HTTP/1 connection is closed then; of an HTTP/2 connection the stream alone is reset, with
    /// `CANCEL`.
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
    /// These, with times that neither keep a task busy nor reach beyond the end of the clock.
    pub(super) fn usable(self) -> Self {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        let usable = |time: Duration| time.clamp(Duration::from_millis(10), 10 * YEAR);
        Self {
            header_timeout: usable(self.header_timeout),
            write_timeout: usable(self.write_timeout),
            ..self
        }
    }
}
