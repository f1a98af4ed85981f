//! [`ServerLimits`]: limits on connections.

use std::time::Duration;

/// Limits on the connections of a [`Server`](super::Server): their number, bytes and time.
///
/// Times bound the client only. A handler decides itself how long it takes and how long it waits for the body of a
/// request. Times below 10 ms are raised to 10 ms, times above 10 years are lowered to 10 years.
///
/// An HTTP/2 connection has at most 64 concurrent requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// The number of open connections. Another one is accepted when one has ended. By default 16,384. Zero is
    /// 1.
    pub max_connections: usize,
    /// How long a connection may take for its TLS handshake, and how long it may be without a request in
    /// flight: before the first one, while headers arrive slowly, and between requests. Only requests count:
    /// a client that sends control frames of HTTP/2, such as `PING`, is idle. By default 30 seconds.
    pub header_timeout: Duration,
    /// The size of the request line and the headers of a request. Larger ones are a 431. By default 64 KiB. An
    /// HTTP/1 request also has at most 100 headers.
    pub max_header_bytes: u32,
    /// How long a client may take to receive the next 4 KiB of the body of a response, or its end, while some
    /// of it is ready. By default 60 seconds. Only bytes of that body count, when they are written to the
    /// socket. After that time an HTTP/1 connection is closed; on an HTTP/2 connection only the stream is
    /// reset, with `CANCEL`.
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
    /// The limits with times that neither keep a task busy nor overflow the clock.
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
