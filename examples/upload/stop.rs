//! [`Stop`]: Ctrl-C, after which a later run can go on.

use std::{future::pending, process};

use tokio::{signal::ctrl_c, spawn, sync::watch};

use crate::failure::Failure;

/// Tells every task that somebody wants the program to end.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens for Ctrl-C from now on. The first asks, the second ends the program at once.
    pub(crate) fn on_ctrl_c() -> Self {
        let (sender, receiver) = watch::channel(false);
        spawn(async move {
            if ctrl_c().await.is_ok() {
                let _ = sender.send(true);
            }
            if ctrl_c().await.is_ok() {
                process::exit(Failure::INTERRUPTED.into());
            }
        });
        Self(receiver)
    }

    /// Never asks: Ctrl-C does what the system does with it.
    pub(crate) fn never() -> Self {
        Self(watch::channel(false).1)
    }

    /// Waits until somebody asks, for ever if nobody does.
    pub(crate) async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            pending().await
        }
    }
}
