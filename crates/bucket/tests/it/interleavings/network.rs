//! The network between several processes and their server, in which a scheduler decides what arrives next.

use std::{
    io,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    },
};
use storage_driver_bucket::double::Double;
use tokio::sync::oneshot;

/// What the scheduler does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives, and so does its response.
    Arrives,
    /// It arrives; its response waits for the scheduler.
    RespondsLate,
    /// It never arrives.
    IsLost,
    /// It arrives; its response is lost.
    LosesResponse,
    /// It arrives now, and once more later.
    ArrivesTwice,
    /// The client gives it up now; it arrives later.
    IsGivenUp,
}

/// How often the scheduler chooses each fate, of 100 requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    pub(super) responds_late: u32,
    pub(super) is_lost: u32,
    pub(super) loses_response: u32,
    pub(super) arrives_twice: u32,
    pub(super) is_given_up: u32,
}

impl Weights {
    fn choose(&self, dice: &mut fastrand::Rng) -> Fate {
        let fates = [
            (self.responds_late, Fate::RespondsLate),
            (self.is_lost, Fate::IsLost),
            (self.loses_response, Fate::LosesResponse),
            (self.arrives_twice, Fate::ArrivesTwice),
            (self.is_given_up, Fate::IsGivenUp),
        ];
        let mut roll = dice.u32(..100);
        for (weight, fate) in fates {
            match roll.checked_sub(weight) {
                None => return fate,
                Some(rest) => roll = rest,
            }
        }
        Fate::Arrives
    }
}

/// Something that waits for the scheduler.
#[derive(Debug)]
enum Waiting {
    Request {
        text: String,
        go: oneshot::Sender<Fate>,
    },
    Response {
        text: String,
        go: oneshot::Sender<()>,
    },
    /// A request that was given up or repeated.
    Stray {
        text: String,
        request: Box<HttpRequest>,
    },
}

#[derive(Debug, Default)]
struct State {
    /// By the number of the process, and in the order in which each process sent them.
    waiting: Vec<(usize, Waiting)>,
    scheduled: bool,
    dead: Vec<usize>,
    trace: Vec<String>,
}

/// The network of all processes.
#[derive(Debug, Clone)]
pub(super) struct Network {
    server: Double,
    state: Arc<Mutex<State>>,
}

impl Network {
    pub(super) fn new(server: &Double) -> Self {
        Self { server: server.clone(), state: Arc::default() }
    }

    /// The connection of a process.
    pub(super) fn connection(&self, process: usize) -> Connection {
        Connection { network: self.clone(), process }
    }

    /// From now on, requests wait for the scheduler; or no longer.
    pub(super) fn set_scheduled(&self, scheduled: bool) {
        self.locked(|state| state.scheduled = scheduled);
    }

    /// Cuts a process off: nothing that it sends arrives any more. What it has sent may arrive later.
    pub(super) fn kill(&self, process: usize) {
        self.locked(|state| {
            state.dead.push(process);
            state.trace.push(format!("process {process} is killed"));
        });
    }

    /// What was delivered, in order.
    pub(super) fn trace(&self) -> Vec<String> {
        self.locked(|state| state.trace.clone())
    }

    fn locked<T>(&self, body: impl FnOnce(&mut State) -> T) -> T {
        body(&mut self.state.lock().unwrap())
    }

    /// Lets one waiting event happen. Returns whether there was one.
    pub(super) async fn step(&self, dice: &mut fastrand::Rng, weights: &Weights) -> bool {
        let (process, event) = {
            let mut state = self.state.lock().unwrap();
            // Within a process in the order of sending, whatever timers have done.
            state.waiting.sort_by_key(|(process, _)| *process);
            if state.waiting.is_empty() {
                return false;
            }
            let chosen = dice.usize(..state.waiting.len());
            state.waiting.remove(chosen)
        };
        match event {
            Waiting::Request { text, go } => {
                let fate = weights.choose(dice);
                self.note(format!("{process} {text}: {fate:?}"));
                let _ = go.send(fate);
            }
            Waiting::Response { text, go } => {
                self.note(format!("{process} {text}: the response arrives"));
                let _ = go.send(());
            }
            Waiting::Stray { text, request } => {
                let response = self.server.call(*request).await.unwrap();
                self.note(format!("{process} {text}: arrives at last, {}", response.status()));
            }
        }
        true
    }

    fn note(&self, text: String) {
        self.locked(|state| state.trace.push(text));
    }
}

/// The connection of one process.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    network: Network,
    process: usize,
}

impl Connection {
    fn wait(&self, waiting: Waiting) {
        self.network.locked(|state| state.waiting.push((self.process, waiting)));
    }

    fn is_dead(&self) -> bool {
        self.network.locked(|state| state.dead.contains(&self.process))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let server = &self.network.server;
        // The signature of a URL says when it was made.
        let uri = request.uri().to_string();
        let uri = uri.split("&X-Amz-").next().unwrap_or_default();
        let text = format!("{} {uri}", request.method());
        let (go, fate) = oneshot::channel();
        self.wait(Waiting::Request { text: text.clone(), go });
        let fate = fate.await.map_err(|_| lost())?;
        if self.is_dead() {
            // It was on its way when the process ended.
            if fate != Fate::IsLost {
                self.wait(Waiting::Stray { text, request: Box::new(request) });
            }
            return Err(lost());
        }
        match fate {
            Fate::Arrives => server.call(request).await,
            Fate::RespondsLate => {
                let response = server.call(request).await?;
                let (go, arrives) = oneshot::channel();
                self.wait(Waiting::Response { text, go });
                arrives.await.map_err(|_| lost())?;
                Ok(response)
            }
            Fate::IsLost => Err(lost()),
            Fate::LosesResponse => {
                server.call(request).await?;
                Err(lost())
            }
            Fate::ArrivesTwice => {
                self.wait(Waiting::Stray { text, request: Box::new(request.clone()) });
                server.call(request).await
            }
            Fate::IsGivenUp => {
                self.wait(Waiting::Stray { text, request: Box::new(request) });
                let cause = io::Error::from(io::ErrorKind::TimedOut);
                Err(HttpError::new(HttpErrorKind::Timeout, cause))
            }
        }
    }
}

fn lost() -> HttpError {
    let cause = io::Error::from(io::ErrorKind::ConnectionReset);
    HttpError::new(HttpErrorKind::Interrupted, cause)
}

impl HttpConnector for Connection {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connection {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if self.is_dead() {
            return Err(lost());
        }
        match self.network.locked(|state| state.scheduled) {
            true => self.send(request).await,
            false => self.network.server.call(request).await,
        }
    }
}
