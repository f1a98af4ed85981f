//! [`VerifiedCache`]: recently verified credentials.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    credentials::Credentials,
    queue::{Line, Peer},
};

/// Recently verified credentials, which need no verification, and the users as which each peer has logged in.
///
/// Credentials are kept as a digest under a secret of this process: passwords cannot be guessed from it.
pub(super) struct VerifiedCache {
    secret: [u8; 32],
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the credentials were verified.
    proofs: Recent<Proof, Instant>,
    peers: Recent<(Peer, String), ()>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Proof([u8; 32]);

impl VerifiedCache {
    /// How long credentials need no verification after their last use.
    pub(super) const IDLE: Duration = Duration::from_secs(5 * 60);

    /// How long credentials need no verification after the last one, if they are used all the time.
    pub(super) const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

    pub(super) fn new() -> Self {
        let mut secret = [0; 32];
        for half in secret.chunks_exact_mut(16) {
            half.copy_from_slice(Uuid::new_v4().as_bytes());
        }
        Self { secret, state: Mutex::default() }
    }

    pub(super) fn proof(&self, credentials: &Credentials) -> Proof {
        let digest = Sha256::new()
            .chain_update(self.secret)
            // The length makes the text unique for this user and password.
            .chain_update((credentials.user.len() as u64).to_le_bytes())
            .chain_update(&credentials.user)
            .chain_update(&credentials.password)
            .finalize();
        Proof(digest.into())
    }

    /// Whether the credentials need no verification now. If so, they are used.
    pub(super) fn has(&self, proof: &Proof) -> bool {
        let is_young = |since: &Instant| since.elapsed() < Self::LIFETIME;
        self.state().proofs.touch(proof, Self::IDLE).is_some_and(is_young)
    }

    /// In which line a request for `user` waits.
    pub(super) fn line(&self, peer: Peer, user: &str) -> Line {
        let key = (peer, user.to_owned());
        match self.state().peers.touch(&key, Self::LIFETIME) {
            Some(()) => Line::Known,
            None => Line::Unknown,
        }
    }

    pub(super) fn insert(&self, proof: Proof, peer: Peer, user: String) {
        let mut state = self.state();
        state.proofs.insert(proof, Instant::now());
        state.peers.insert((peer, user), ());
    }

    #[cfg(test)]
    pub(super) fn forget(&self, proof: &Proof) {
        self.state().proofs.0.remove(proof);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entries that were used last.
struct Recent<K, V>(HashMap<K, (V, Instant)>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    /// How many are kept; the one that has not been used for the longest time makes room.
    const MAX: usize = 1024;

    /// The value of `key`, which is used now, if it was used within `idle`.
    fn touch(&mut self, key: &K, idle: Duration) -> Option<&V> {
        let (value, used) = self.0.get_mut(key)?;
        if used.elapsed() >= idle {
            return None;
        }
        *used = Instant::now();
        Some(value)
    }

    fn insert(&mut self, key: K, value: V) {
        if self.0.len() >= Self::MAX
            && !self.0.contains_key(&key)
            // A search takes a thousandth of the verification before it.
            && let Some((oldest, _)) = self.0.iter().min_by_key(|(_, (_, used))| *used)
        {
            let oldest = oldest.clone();
            self.0.remove(&oldest);
        }
        self.0.insert(key, (value, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials { user: user.to_owned(), password: password.to_owned() }
    }

    fn peer() -> Peer {
        Peer::new(None)
    }

    fn insert(verified: &VerifiedCache, proof: Proof) {
        verified.insert(proof, peer(), "a".to_owned());
    }

    #[test]
    fn user_and_password_do_not_run_into_each_other() {
        let verified = VerifiedCache::new();
        insert(&verified, verified.proof(&credentials("ab", "c")));
        assert!(verified.has(&verified.proof(&credentials("ab", "c"))));
        assert!(!verified.has(&verified.proof(&credentials("a", "bc"))));
    }

    #[test]
    fn a_proof_is_none_elsewhere() {
        let (here, there) = (VerifiedCache::new(), VerifiedCache::new());
        let proof = here.proof(&credentials("a", "b"));
        insert(&there, proof);
        assert!(!there.has(&there.proof(&credentials("a", "b"))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_proof_that_is_not_used_lives_for_five_minutes() {
        let verified = VerifiedCache::new();
        let proof = verified.proof(&credentials("a", "b"));
        insert(&verified, proof);
        advance(Duration::from_secs(300)).await;
        assert!(!verified.has(&proof));
    }

    #[tokio::test(start_paused = true)]
    async fn a_proof_that_is_used_lives_for_twelve_hours() {
        let verified = VerifiedCache::new();
        let proof = verified.proof(&credentials("a", "b"));
        insert(&verified, proof);
        let minute = Duration::from_secs(60);
        for _ in 1..12 * 60 {
            advance(minute).await;
            assert!(verified.has(&proof));
        }
        advance(minute).await;
        assert!(!verified.has(&proof));
    }

    #[tokio::test(start_paused = true)]
    async fn the_proof_that_was_not_used_for_the_longest_time_makes_room() {
        const MAX: usize = Recent::<Proof, Instant>::MAX;
        let verified = VerifiedCache::new();
        let proof = |n: usize| verified.proof(&credentials("a", &n.to_string()));
        for n in 0..MAX {
            insert(&verified, proof(n));
            advance(Duration::from_millis(1)).await;
        }
        assert!(verified.has(&proof(0)));
        insert(&verified, proof(MAX));
        assert!(!verified.has(&proof(1)));
        assert!(verified.has(&proof(0)) && verified.has(&proof(MAX)));
        assert_eq!(verified.state().proofs.0.len(), MAX);
    }

    #[test]
    fn a_peer_is_known_for_the_user_that_it_was() {
        let verified = VerifiedCache::new();
        insert(&verified, verified.proof(&credentials("a", "b")));
        let other = Peer::new(Some([192, 0, 2, 1].into()));
        assert_eq!(verified.line(peer(), "a"), Line::Known);
        assert_eq!(verified.line(peer(), "b"), Line::Unknown);
        assert_eq!(verified.line(other, "a"), Line::Unknown);
    }
}
