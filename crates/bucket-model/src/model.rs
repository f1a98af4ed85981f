//! [`BucketModel`]: the states of a scenario, and the steps between them.

use std::collections::BTreeSet;

use stateright::{Model, Property};

use crate::{
    claims::{self, Claim, Ghost},
    protocol::{Ended, Op, Upload},
    run::{Deletes, Failure, Reply, Run, Settings, Step, Stop},
    scenario::{Pauses, Scenario},
    store::{Key, OpId, Request, Response, Store},
};

/// How many requests the longest operation sends.
const LONGEST: usize = 60;

/// A scenario with the protocol, for the checker.
#[derive(Debug, Clone)]
pub struct BucketModel {
    pub(crate) scenario: Scenario,
    settings: Settings,
}

/// A process with one operation at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Actor {
    /// The place of its operation in its script.
    pub(crate) place: u8,
    open: Option<Upload>,
    /// What its operation has received.
    replies: Vec<Reply>,
    /// The request that its operation sends next. `None` at the end of its script.
    pub(crate) waits: Option<Step>,
}

/// A state of the model. After the end there are no actors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct State {
    store: Store,
    pub(crate) actors: Vec<Actor>,
    /// Requests whose senders know nothing of their outcome. Each takes effect at any later moment, or never.
    pub(crate) late: BTreeSet<Request>,
    ghost: Ghost,
    faults: u8,
    crashes: u8,
    broken: Option<Claim>,
}

/// A step of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The next request of an actor is served.
    Serve(u8),
    /// The next request of an actor gets no response. It takes effect later, or never.
    Lose(u8),
    /// The next request of an actor arrives twice: now and later.
    Twice(u8),
    /// An actor crashes. Its request, if it has sent one, takes effect later, or never.
    Crash(u8),
    /// A request that was lost takes effect.
    Arrive(u8),
    /// A grace passes.
    PassGrace,
    /// All processes end, and deep sweeps follow.
    End,
}

impl BucketModel {
    /// The model of a scenario.
    pub fn new(scenario: Scenario) -> Self {
        let settings = scenario.settings();
        Self { scenario, settings }
    }

    /// Runs an operation alone, to its end.
    fn run_alone(&self, store: &mut Store, id: OpId, op: Op, open: Option<Upload>) -> Ended {
        let mut replies = Vec::new();
        loop {
            let mut run = Run::new(&self.settings, id, &replies);
            match op.run(&mut run, open.as_ref()) {
                Ok(ended) => return ended,
                Err(Stop::Failed(failure)) => return Ended { result: Err(failure), open: None },
                Err(Stop::Pending(step)) => {
                    let response = step.request(id).map(|request| store.apply(&request));
                    replies.push(step.reply(store, response));
                }
            }
        }
    }

    /// Runs the operation of an actor until it waits, and those after it as well if it ends.
    fn proceed(&self, state: &mut State, number: u8) {
        let index = usize::from(number) - 1;
        loop {
            let actor = &mut state.actors[index];
            let id = OpId { actor: number, place: actor.place };
            let Some(op) = self.scenario.op(number, actor.place) else {
                (actor.waits, actor.open) = (None, None);
                return;
            };
            if actor.replies.len() > LONGEST {
                state.broken = state.broken.or(Some(Claim::Ends));
                return;
            }
            let mut run = Run::new(&self.settings, id, &actor.replies);
            let ended = match op.run(&mut run, actor.open.as_ref()) {
                Ok(ended) => ended,
                Err(Stop::Failed(failure)) => Ended { result: Err(failure), open: None },
                Err(Stop::Pending(step)) => {
                    actor.waits = Some(step);
                    return;
                }
            };
            actor.place += 1;
            actor.replies.clear();
            actor.open = ended.open.filter(|_| ended.result != Err(Failure::Fenced));
            let kept = actor.open.as_ref().map(Upload::kept);
            let judged = state.ghost.ended(&self.scenario, id, ended.result, kept);
            state.broken = state.broken.or(judged.err());
        }
    }

    /// Applies a request, and judges it.
    fn apply(&self, state: &mut State, request: &Request) -> Response {
        let before = claims::view(&state.store, request.key);
        let response = state.store.apply(request);
        if response == Response::Done {
            let sender = request.sender;
            let place = state.actors[usize::from(sender.actor) - 1].place;
            let has_ended = place > sender.place && !state.ghost.unsure.contains(&sender);
            let State { store, ghost, .. } = state;
            let judged = ghost.applied(&self.scenario, store, request, before, has_ended);
            state.broken = state.broken.or(judged.err());
            state.broken = state.broken.or(claims::check(&state.store).err());
        }
        response
    }

    /// Gives an actor the reply to its request.
    fn give(&self, state: &mut State, number: u8, reply: Reply) {
        state.actors[usize::from(number) - 1].replies.push(reply);
        self.proceed(state, number);
    }

    /// Serves the request of an actor.
    fn serve(&self, state: &mut State, number: u8) {
        let Some((id, step)) = self.waiting(state, number) else { return };
        let step = step.clone();
        let response = step.request(id).map(|request| self.apply(state, &request));
        let reply = step.reply(&state.store, response);
        self.give(state, number, reply);
    }

    /// The operation of an actor, and the request that it sends next.
    fn waiting<'a>(&self, state: &'a State, number: u8) -> Option<(OpId, &'a Step)> {
        let actor = &state.actors[usize::from(number) - 1];
        Some((OpId { actor: number, place: actor.place }, actor.waits.as_ref()?))
    }

    /// The request of an actor that changes something.
    fn pending(&self, state: &State, number: u8) -> Option<Request> {
        let (id, step) = self.waiting(state, number)?;
        step.request(id)
    }

    /// Forgets late requests that cannot take effect any more. Without DELETE, no state of a key comes back.
    fn forget(&self, state: &mut State) {
        if self.settings.deletes == Deletes::Tombstones {
            let store = &state.store;
            state.late.retain(|request| {
                !matches!(request.key, Key::File(_) | Key::Journal(_))
                    || store.outcome(request) == Response::Done
            });
        }
    }

    fn may_pass_grace(&self, state: &State) -> bool {
        let is_idle = |(index, actor): (usize, &Actor)| {
            let op = self.scenario.op(index as u8 + 1, actor.place);
            actor.replies.is_empty() || op.is_some_and(Op::is_sweep)
        };
        state.store.now < self.scenario.graces + 1
            && (self.scenario.pauses == Pauses::Unbounded
                || state.actors.iter().enumerate().all(is_idle))
    }

    /// Judges a state: the claim that does not hold. After the end, when only the objects are left, they are swept first.
    pub(crate) fn judge(&self, state: &State) -> Result<(), Claim> {
        if let Some(claim) = state.broken {
            return Err(claim);
        }
        if !state.actors.is_empty() {
            return Ok(());
        }
        let mut store = state.store.clone();
        for place in 0..3 {
            store.now += 1;
            let id = OpId { actor: 0, place: 100 + place };
            let _ = self.run_alone(&mut store, id, Op::DeepSweep, None);
        }
        claims::check(&store)?;
        match claims::is_swept(&store, self.settings.deletes) {
            true => Ok(()),
            false => Err(Claim::Leftovers),
        }
    }
}

impl Model for BucketModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut store = Store::default();
        let mut open = None;
        for (place, op) in self.scenario.before.iter().enumerate() {
            let id = OpId { actor: 0, place: place as u8 };
            open = self.run_alone(&mut store, id, *op, open).open;
        }
        // What was done before is older than the grace.
        store.now = 1;
        let idle = Actor { place: 0, open: None, replies: Vec::new(), waits: None };
        let mut state = State {
            store,
            actors: vec![idle; self.scenario.scripts.len()],
            late: BTreeSet::new(),
            ghost: Ghost::default(),
            faults: self.scenario.faults,
            crashes: self.scenario.crashes,
            broken: None,
        };
        for number in 1..=state.actors.len() as u8 {
            self.proceed(&mut state, number);
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() || state.actors.is_empty() {
            return;
        }
        for number in 1..=state.actors.len() as u8 {
            let Some(step) = &state.actors[usize::from(number) - 1].waits else { continue };
            actions.push(Action::Serve(number));
            if state.crashes > 0 {
                actions.push(Action::Crash(number));
            }
            if state.faults == 0 {
                continue;
            }
            match step {
                Step::Put { .. } | Step::Delete { .. } => actions.push(Action::Lose(number)),
                Step::PutFresh { key: Key::Data(_), .. } => {
                    actions.extend([Action::Lose(number), Action::Twice(number)]);
                }
                Step::DeleteFinal(Key::Data(_) | Key::Owner(_)) => {
                    actions.push(Action::Twice(number));
                }
                _ => {}
            }
        }
        for (number, request) in state.late.iter().enumerate() {
            if state.store.outcome(request) == Response::Done {
                actions.push(Action::Arrive(number as u8));
            }
        }
        if self.may_pass_grace(state) {
            actions.push(Action::PassGrace);
        }
        if self.scenario.leftovers {
            actions.push(Action::End);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Serve(number) => self.serve(&mut state, number),
            Action::Lose(number) => {
                state.faults -= 1;
                state.late.insert(self.pending(&state, number)?);
                self.give(&mut state, number, Reply::Lost);
            }
            Action::Twice(number) => {
                state.faults -= 1;
                state.late.insert(self.pending(&state, number)?);
                self.serve(&mut state, number);
            }
            Action::Crash(number) => {
                state.crashes -= 1;
                state.late.extend(self.pending(&state, number));
                let actor = &mut state.actors[usize::from(number) - 1];
                state.ghost.unsure.insert(OpId { actor: number, place: actor.place });
                *actor = Actor { place: u8::MAX, open: None, replies: Vec::new(), waits: None };
            }
            Action::Arrive(index) => {
                let request = last.late.iter().nth(usize::from(index))?;
                state.late.remove(request);
                self.apply(&mut state, request);
            }
            Action::PassGrace => {
                state.store.now += 1;
                if self.scenario.pauses == Pauses::BelowGrace {
                    state.late.clear();
                }
            }
            Action::End => {
                let store = state.store;
                state = State { store, ..State::default() };
            }
        }
        self.forget(&mut state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("every claim", |model: &Self, state: &State| {
            model.judge(state).is_ok()
        })]
    }
}
