//! The address of the client of a request.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
};
use http::{Extensions, HeaderMap, HeaderName};
use tower::util::MapRequestLayer;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a trusted proxy has named, as an extension of a request.
#[derive(Debug, Clone, Copy)]
struct Forwarded(IpAddr);

/// The address of the client of a request with these extensions: the one that a
/// [trusted proxy](behind_proxy) has named, otherwise that of the connection. `None` if neither is known.
pub(crate) fn address(extensions: &Extensions) -> Option<IpAddr> {
    let forwarded = extensions.get().map(|Forwarded(address)| *address);
    let address = forwarded.or_else(|| {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        peer.map(|ConnectInfo(peer)| peer.ip())
    });
    // A dual-stack listener sees clients of IPv4 as mapped addresses.
    address.map(|address| address.to_canonical())
}

/// `router` behind a proxy that sets or extends `X-Forwarded-For`: the last address of the header is that of the
/// client, in logs and in the queue for password verification.
///
/// Only the proxy may be able to reach the router, because any client can send this header. Without the header,
/// the client is the proxy. If there are several proxies, the client is the one before the last.
pub fn behind_proxy(router: Router) -> Router {
    router.layer(MapRequestLayer::new(|mut request: Request| {
        if let Some(address) = forwarded(request.headers()) {
            request.extensions_mut().insert(Forwarded(address));
        }
        request
    }))
}

fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    let last = value.rsplit(',').next()?.trim();
    let bare = last.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(last);
    // Some proxies add the port.
    bare.parse().ok().or_else(|| last.parse().ok().map(|it: SocketAddr| it.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_forwarded(values: &[&str], address: Option<&str>) {
        let headers = values.iter().map(|it| (FORWARDED_FOR, it.parse().unwrap())).collect();
        assert_eq!(forwarded(&headers), address.map(|it| it.parse().unwrap()), "{values:?}");
    }

    #[test]
    fn the_last_address_is_the_one_that_the_proxy_saw() {
        assert_forwarded(&["192.0.2.1"], Some("192.0.2.1"));
        assert_forwarded(&["10.0.0.1, 192.0.2.1"], Some("192.0.2.1"));
        assert_forwarded(&["10.0.0.1", "192.0.2.1"], Some("192.0.2.1"));
    }

    #[test]
    fn an_address_may_have_brackets_and_a_port() {
        for text in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80"] {
            assert_forwarded(&[text], Some("2001:db8::1"));
        }
        assert_forwarded(&["192.0.2.1:80"], Some("192.0.2.1"));
    }

    #[test]
    fn text_that_is_no_address_is_ignored() {
        for text in ["", "unknown", "192.0.2.1,", "192.0.2.1, _hidden"] {
            assert_forwarded(&[text], None);
        }
    }

    #[test]
    fn a_mapped_address_is_one_of_ipv4() {
        let mut extensions = Extensions::new();
        let peer: SocketAddr = "[::ffff:192.0.2.1]:80".parse().unwrap();
        extensions.insert(ConnectInfo(peer));
        assert_eq!(address(&extensions), Some("192.0.2.1".parse().unwrap()));
    }
}
