//! [`Proven`]: credentials that were right a moment ago.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use super::credentials::Credentials;

/// Credentials that need no verification for a while, by a digest under a secret of this process:
/// neither the passwords nor anything that they could be guessed from is kept.
pub(super) struct Proven {
    secret: [u8; 32],
    since: Mutex<HashMap<Proof, Instant>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Proof([u8; 32]);

impl Proven {
    /// How long credentials need no verification after one.
    pub(super) const TIME_TO_LIVE: Duration = Duration::from_secs(300);

    /// How many are kept; the oldest makes room.
    const MAX: usize = 1024;

    pub(super) fn new() -> Self {
        let mut secret = [0; 32];
        for half in secret.chunks_exact_mut(16) {
            half.copy_from_slice(Uuid::new_v4().as_bytes());
        }
        Self { secret, since: Mutex::default() }
    }

    pub(super) fn proof(&self, credentials: &Credentials) -> Proof {
        let digest = Sha256::new()
            .chain_update(self.secret)
            // So that no other user and password make the same text.
            .chain_update((credentials.user.len() as u64).to_le_bytes())
            .chain_update(&credentials.user)
            .chain_update(&credentials.password)
            .finalize();
        Proof(digest.into())
    }

    pub(super) fn has(&self, proof: &Proof) -> bool {
        self.with(|since| since.get(proof).is_some_and(|it| it.elapsed() < Self::TIME_TO_LIVE))
    }

    pub(super) fn insert(&self, proof: Proof) {
        self.with(|since| {
            if since.len() >= Self::MAX
                && !since.contains_key(&proof)
                // Looked for after a verification, which takes a thousand times as long.
                && let Some(oldest) = since.iter().min_by_key(|it| it.1).map(|it| *it.0)
            {
                since.remove(&oldest);
            }
            since.insert(proof, Instant::now());
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Proof, Instant>) -> T) -> T {
        act(&mut self.since.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials { user: user.to_owned(), password: password.to_owned() }
    }

    #[test]
    fn user_and_password_do_not_run_into_each_other() {
        let proven = Proven::new();
        proven.insert(proven.proof(&credentials("ab", "c")));
        assert!(proven.has(&proven.proof(&credentials("ab", "c"))));
        assert!(!proven.has(&proven.proof(&credentials("a", "bc"))));
    }

    #[test]
    fn a_proof_is_none_elsewhere() {
        let (here, there) = (Proven::new(), Proven::new());
        let proof = here.proof(&credentials("a", "b"));
        there.insert(proof);
        assert!(!there.has(&there.proof(&credentials("a", "b"))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_proof_lives_for_five_minutes() {
        let proven = Proven::new();
        let proof = proven.proof(&credentials("a", "b"));
        proven.insert(proof);
        tokio::time::advance(Duration::from_secs(299)).await;
        assert!(proven.has(&proof));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!proven.has(&proof));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_makes_room() {
        let proven = Proven::new();
        let proof = |n: usize| proven.proof(&credentials("a", &n.to_string()));
        for n in 0..=Proven::MAX {
            proven.insert(proof(n));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(!proven.has(&proof(0)));
        assert!(proven.has(&proof(1)) && proven.has(&proof(Proven::MAX)));
        assert_eq!(proven.with(|since| since.len()), Proven::MAX);
    }
}
