//! Listening.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, lookup_host};

use crate::{failure::Failure, values::ListenAddress};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listens at `address`. If a name has several addresses, it uses the first that works, IPv4 before IPv6.
pub(crate) async fn listen(address: &ListenAddress) -> Result<TcpListener, Failure> {
    let listening = match &address.host {
        Some(host) => at_host(host, address.port).await,
        None => at_all_interfaces(address.port).await,
    };
    listening.map_err(|source| Failure::Listen { address: address.clone(), source })
}

async fn at_host(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Listens for IPv4 and IPv6; on a system without IPv6, for IPv4.
async fn at_all_interfaces(port: u16) -> io::Result<TcpListener> {
    match dual_stack(port) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        listening => listening,
    }
}

/// Listens for IPv6 and IPv4 on one socket. The system's default may be IPv6 alone.
fn dual_stack(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_only_v6(false)?;
    // As `TcpListener::bind` does it: connections that have ended do not hold the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
