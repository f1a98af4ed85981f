//! [`Queue`]: the order in which passwords are verified.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// How many requests may wait in each of the two lines.
pub(super) const MAX_WAITING: usize = 1024;

/// Clients that share their place in the order: an address of IPv4, or a network of IPv6 with a prefix of 64 bits, which
/// one client usually has. Clients without a known address share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Peer(Option<IpAddr>);

impl Peer {
    pub(super) fn new(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address {
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << 64);
                Ipv6Addr::from_bits(network).into()
            }
            IpAddr::V4(_) => address,
        }))
    }
}

/// In which line a request waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// This peer has logged in as this user before.
    Known,
    Unknown,
}

/// The request was refused: its peer has the most waiting requests.
#[derive(Debug)]
pub(super) struct Full;

/// Hands out a bounded number of permits.
///
/// Free permits go to the two lines alternately, if requests wait in both. In a line, every peer gets one permit
/// in each round, so that the wait of a peer's first request depends on the number of peers alone. If a line
/// is full, the request that would have to wait for the most rounds is refused.
#[derive(Debug)]
pub(super) struct Queue(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Free permits. While there is one, no request waits.
    free: usize,
    known: Waiting,
    unknown: Waiting,
    /// The line that gets the next permit, if requests wait in both.
    next: Line,
}

/// A round, and a number that makes the place unique and orders a round by arrival.
type Place = (u64, u64);

#[derive(Debug, Default)]
struct Waiting {
    requests: BTreeMap<Place, (Peer, oneshot::Sender<Permit>)>,
    /// How many requests of a peer wait, and the round of the last one.
    peers: HashMap<Peer, (usize, u64)>,
    round: u64,
    arrivals: u64,
}

impl Waiting {
    /// Adds a request, and refuses one if there are too many.
    fn push(&mut self, peer: Peer, sender: oneshot::Sender<Permit>) -> Place {
        let (requests, last) = self.peers.entry(peer).or_insert((0, self.round));
        *requests += 1;
        // Not in the current round, so that it ends.
        *last = (*last).max(self.round) + 1;
        let place = (*last, self.arrivals);
        self.arrivals += 1;
        self.requests.insert(place, (peer, sender));
        if self.requests.len() > MAX_WAITING
            && let Some((&last, _)) = self.requests.last_key_value()
        {
            self.remove(last);
        }
        place
    }

    fn pop(&mut self) -> Option<oneshot::Sender<Permit>> {
        let (&place, _) = self.requests.first_key_value()?;
        self.round = place.0;
        self.remove(place)
    }

    fn remove(&mut self, place: Place) -> Option<oneshot::Sender<Permit>> {
        let (peer, sender) = self.requests.remove(&place)?;
        if let Some((requests, last)) = self.peers.get_mut(&peer) {
            *requests -= 1;
            if *last == place.0 {
                *last -= 1;
            }
            if *requests == 0 {
                self.peers.remove(&peer);
            }
        }
        Some(sender)
    }
}

impl State {
    fn line(&mut self, line: Line) -> &mut Waiting {
        match line {
            Line::Known => &mut self.known,
            Line::Unknown => &mut self.unknown,
        }
    }

    fn pop(&mut self) -> Option<oneshot::Sender<Permit>> {
        let first = self.next;
        let second = match first {
            Line::Known => Line::Unknown,
            Line::Unknown => Line::Known,
        };
        if let Some(sender) = self.line(first).pop() {
            self.next = second;
            return Some(sender);
        }
        self.line(second).pop()
    }
}

impl Queue {
    pub(super) fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            free: permits,
            known: Waiting::default(),
            unknown: Waiting::default(),
            next: Line::Known,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit. A dropped future leaves the queue.
    pub(super) async fn enter(self: &Arc<Self>, line: Line, peer: Peer) -> Result<Permit, Full> {
        let (sender, receiver) = oneshot::channel();
        let place = {
            let mut state = self.state();
            if let Some(free) = state.free.checked_sub(1) {
                state.free = free;
                return Ok(Permit(self.clone()));
            }
            Waiter { queue: self, line, place: state.line(line).push(peer, sender) }
        };
        let turn = receiver.await.map_err(|_| Full);
        drop(place);
        turn
    }
}

/// A request that waits.
struct Waiter<'a> {
    queue: &'a Queue,
    line: Line,
    place: Place,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.queue.state().line(self.line).remove(self.place);
    }
}

/// The right to verify one password, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Queue>);

impl Drop for Permit {
    fn drop(&mut self) {
        let sender = {
            let mut state = self.0.state();
            let sender = state.pop();
            if sender.is_none() {
                state.free += 1;
            }
            sender
        };
        if let Some(sender) = sender {
            // A dropped request drops the turn, which passes to the next one.
            let _ = sender.send(Permit(self.0.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;

    fn peer(n: u8) -> Peer {
        Peer::new(Some([192, 0, 2, n].into()))
    }

    /// A queue whose only turn is taken.
    fn busy() -> (Arc<Queue>, Permit) {
        let queue = Queue::new(1);
        let turn = queue.enter(Line::Unknown, peer(0)).now_or_never().unwrap().unwrap();
        (queue, turn)
    }

    macro_rules! enter {
        ($queue:expr, $line:expr, $peer:expr) => {{
            let mut waiting = task::spawn($queue.enter($line, $peer));
            assert_pending!(waiting.poll());
            waiting
        }};
    }

    #[test]
    fn a_peer_with_one_request_waits_for_one_round() {
        let (queue, mut turn) = busy();
        let mut many: Vec<_> = (0..100).map(|_| enter!(queue, Line::Unknown, peer(1))).collect();
        let mut one = enter!(queue, Line::Unknown, peer(2));
        drop(turn);
        turn = assert_ready!(many[0].poll()).unwrap();
        drop(turn);
        assert_ready!(one.poll()).unwrap();
    }

    #[test]
    fn lines_take_turns() {
        let (queue, turn) = busy();
        let mut unknown: Vec<_> = (0..3).map(|n| enter!(queue, Line::Unknown, peer(n))).collect();
        let mut known: Vec<_> = (0..2).map(|n| enter!(queue, Line::Known, peer(n))).collect();
        drop(turn);
        drop(assert_ready!(known[0].poll()).unwrap());
        drop(assert_ready!(unknown[0].poll()).unwrap());
        drop(assert_ready!(known[1].poll()).unwrap());
        drop(assert_ready!(unknown[1].poll()).unwrap());
        assert_ready!(unknown[2].poll()).unwrap();
    }

    #[test]
    fn a_full_line_refuses_the_last_request_of_the_peer_with_the_most() {
        let (queue, _turn) = busy();
        let mut many: Vec<_> =
            (0..MAX_WAITING).map(|_| enter!(queue, Line::Unknown, peer(1))).collect();
        let mut more = task::spawn(queue.enter(Line::Unknown, peer(1)));
        assert!(assert_ready!(more.poll()).is_err());
        let _one = enter!(queue, Line::Unknown, peer(2));
        assert!(assert_ready!(many.pop().unwrap().poll()).is_err());
        assert_pending!(many.pop().unwrap().poll());
    }

    #[test]
    fn a_repeated_request_waits_behind_the_waiting_ones() {
        let (queue, turn) = busy();
        let mut patient = [(); 2].map(|()| enter!(queue, Line::Unknown, peer(1)));
        let mut back = enter!(queue, Line::Unknown, peer(2));
        drop(turn);
        drop(assert_ready!(patient[0].poll()).unwrap());
        let turn = assert_ready!(back.poll()).unwrap();
        let _again = enter!(queue, Line::Unknown, peer(2));
        drop(turn);
        assert_ready!(patient[1].poll()).unwrap();
    }

    #[test]
    fn a_request_that_is_gone_gives_its_place_and_its_turn_up() {
        let (queue, turn) = busy();
        drop(enter!(queue, Line::Unknown, peer(1)));
        assert_eq!(queue.state().unknown.requests.len(), 0);
        let granted = enter!(queue, Line::Unknown, peer(1));
        let mut next = enter!(queue, Line::Unknown, peer(1));
        drop(turn);
        drop(granted);
        drop(assert_ready!(next.poll()).unwrap());
        let state = queue.state();
        assert_eq!((state.free, state.unknown.peers.len()), (1, 0));
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_peer() {
        let peer = |text: &str| Peer::new(Some(text.parse().unwrap()));
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }
}
