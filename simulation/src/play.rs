//! One seed: who goes on when, what goes wrong, and what must hold.

use std::{
    task::{Context, Poll, Waker},
    time::Duration,
};

use event_log::Position;
use projector::Prepared;
use rand::RngExt;

use crate::{
    group::share_out,
    process::{Kind, Process},
    world::{Counts, Flaw, USED, World},
};

/// What happened, how often.
pub type Played = Counts;

/// How many rounds it may take until all is done, once nothing goes wrong any more. A round is a tenth of a second.
const ROUNDS: usize = 400;

pub struct Play {
    world: World,
    processes: Vec<Process>,
    prepared: Vec<Prepared>,
    started: usize,
}

impl Play {
    pub fn new(seed: u64, flaw: Option<Flaw>, told: bool) -> Self {
        let prepared = projector::projections().into_iter().take(2).map(|projection| Prepared::new(projection, 1)).collect();
        let mut play = Self { world: World::new(seed, flaw, told), processes: vec![], prepared, started: 0 };
        for kind in [Kind::Relay, Kind::Relay, Kind::Projector, Kind::Projector, Kind::Policy, Kind::Policy] {
            let process = play.start(kind);
            play.processes.push(process);
        }
        play.share_out();
        play
    }

    fn start(&mut self, kind: Kind) -> Process {
        self.started += 1;
        Process::start(kind, self.started, &self.world, &self.prepared)
    }

    pub fn run(mut self) -> Result<Played, String> {
        let played = self.play();
        let mut state = self.world.state();
        if let Some(told) = state.told.take() {
            told.iter().for_each(|line| println!("{line}"));
        }
        let counts = std::mem::take(&mut state.counts);
        drop(state);
        played.map(|()| counts)
    }

    fn play(&mut self) -> Result<(), String> {
        let moments = self.world.state().rng.random_range(200..800);
        for _ in 0..moments {
            self.moment()?;
        }
        self.heal();
        for _ in 0..ROUNDS {
            if self.is_done()? {
                return Ok(());
            }
            self.round()?;
        }
        Err(format!("it does not come to an end: {}", self.left()))
    }

    /// Something happens.
    fn moment(&mut self) -> Result<(), String> {
        let what = self.world.state().rng.random_range(0..1_000);
        match what {
            0..600 => self.go_on()?,
            600..700 => self.deliver(),
            700..790 => self.fetch(),
            790..850 => self.pass(50),
            850..870 => self.pass(3_000),
            870..900 => self.world.state().append(),
            900..910 => self.crash(),
            910..920 => self.put_to_sleep(),
            920..930 => self.fail_session(),
            930..940 => self.share_out(),
            940..970 => self.tell_members(),
            970..975 => self.seek_back(),
            975..978 => self.forget_folds(),
            978..979 => self.lose_records(),
            979..989 => self.toggle_database(),
            _ => self.toggle_brokers(),
        }
        self.check()
    }

    fn any(&self) -> usize {
        self.world.state().rng.random_range(0..self.processes.len())
    }

    /// A task goes on for a while.
    fn go_on(&mut self) -> Result<(), String> {
        let process = self.any();
        let (task, times) = {
            let mut state = self.world.state();
            if self.processes[process].asleep_until > state.now {
                return Ok(());
            }
            (state.rng.random_range(0..self.processes[process].tasks.len()), state.rng.random_range(1..8))
        };
        (0..times).try_for_each(|_| self.poll(process, task))
    }

    fn poll(&mut self, process: usize, task: usize) -> Result<(), String> {
        let mut context = Context::from_waker(Waker::noop());
        match self.processes[process].tasks[task].as_mut().poll(&mut context) {
            Poll::Pending => Ok(()),
            Poll::Ready(why) => Err(why),
        }
    }

    fn pass(&self, up_to: u64) {
        let mut state = self.world.state();
        let passed = state.rng.random_range(1..=up_to);
        state.now += Duration::from_millis(passed);
    }

    fn deliver(&self) {
        let mut state = self.world.state();
        if state.brokers_away {
            return;
        }
        for _ in 0..state.rng.random_range(1..6) {
            let on_their_way = state.on_their_way();
            if on_their_way.is_empty() {
                return;
            }
            let (session, partition) = on_their_way[state.rng.random_range(0..on_their_way.len())];
            state.deliver(session, partition);
        }
    }

    fn fetch(&self) {
        let mut state = self.world.state();
        if !state.brokers_away {
            self.processes.iter().filter_map(|process| process.member.as_ref()).for_each(|member| member.fetch(&mut state));
        }
    }

    /// A process ends, wherever it is, and another one begins.
    fn crash(&mut self) {
        let process = self.any();
        let kind = self.processes[process].kind;
        self.world.state().count(match kind {
            Kind::Relay => "a relay crashed",
            Kind::Projector => "a projector crashed",
            Kind::Policy => "a policy crashed",
        });
        self.processes[process] = self.start(kind);
        if kind == Kind::Projector {
            self.share_out();
        }
    }

    fn put_to_sleep(&mut self) {
        let process = self.any();
        let mut state = self.world.state();
        state.count("a process fell asleep");
        self.processes[process].asleep_until = state.now + Duration::from_millis(state.rng.random_range(100..9_000));
    }

    fn fail_session(&self) {
        let mut state = self.world.state();
        let live: Vec<_> = (0..state.sessions.len()).filter(|session| !state.sessions[*session].is_orphan).collect();
        if !live.is_empty() {
            let session = live[state.rng.random_range(0..live.len())];
            state.count("a producer failed");
            state.fail(session);
        }
    }

    fn share_out(&mut self) {
        let mut state = self.world.state();
        state.count("partitions were shared out");
        share_out(&mut state, self.processes.iter_mut().filter_map(|process| process.member.as_mut()));
    }

    fn tell_members(&self) {
        let all = self.processes.iter().filter_map(|process| process.member.as_ref());
        all.filter(|_| self.world.state().chance(500)).for_each(crate::group::Member::tell);
    }

    fn seek_back(&self) {
        let mut state = self.world.state();
        state.count("records were fetched again");
        self.processes.iter().filter_map(|process| process.member.as_ref()).for_each(|member| member.seek_back(&mut state));
    }

    fn forget_folds(&self) {
        let mut state = self.world.state();
        state.count("the read store forgot folds");
        state.forget_folds();
    }

    fn lose_records(&self) {
        let mut state = self.world.state();
        state.count("the topic lost records");
        let partition = state.rng.random_range(0..USED);
        state.lose(partition);
    }

    fn toggle_database(&self) {
        let mut state = self.world.state();
        state.count("the database went or came");
        state.database_away = !state.database_away && state.chance(300);
    }

    fn toggle_brokers(&self) {
        let mut state = self.world.state();
        state.count("the brokers went or came");
        state.brokers_away = !state.brokers_away && state.chance(500);
    }

    /// Nothing goes wrong any more.
    fn heal(&mut self) {
        self.processes.iter_mut().for_each(|process| process.asleep_until = Duration::ZERO);
        let mut state = self.world.state();
        (state.healed, state.database_away, state.brokers_away) = (true, false, false);
        state.tell(|| "from now on nothing goes wrong".into());
    }

    /// Everybody goes on, everything arrives.
    fn round(&mut self) -> Result<(), String> {
        self.processes.iter().filter_map(|process| process.member.as_ref()).for_each(crate::group::Member::tell);
        for process in 0..self.processes.len() {
            for task in 0..self.processes[process].tasks.len() {
                (0..20).try_for_each(|_| self.poll(process, task))?;
            }
        }
        let mut state = self.world.state();
        for (session, partition) in state.on_their_way() {
            while state.deliver(session, partition) {}
        }
        state.now += Duration::from_millis(100);
        drop(state);
        self.fetch();
        self.check()
    }

    fn check(&self) -> Result<(), String> {
        let mut state = self.world.state();
        for process in self.processes.iter().filter(|process| process.kind == Kind::Relay) {
            state.check_arrived(&process.known.heads());
        }
        state.violation.clone().map_or(Ok(()), Err)
    }

    fn is_done(&self) -> Result<bool, String> {
        let mut state = self.world.state();
        let relayed = (0..USED).all(|partition| state.held[partition] == state.log[partition].len() as Position);
        let done = state.is_seen_to() && relayed && state.is_folded(&self.prepared);
        state.violation.clone().map_or(Ok(done), Err)
    }

    fn left(&self) -> String {
        let mut state = self.world.state();
        let heads: Vec<_> = state.log.iter().map(Vec::len).collect();
        let topic = state.held;
        let folded: Vec<_> = (self.prepared.iter())
            .map(Prepared::key)
            .map(|(name, generation)| (name, (0..USED).map(|partition| state.checkpoint(name, generation, partition)).collect::<Vec<_>>()))
            .collect();
        format!("log {heads:?}, topic {topic:?}, folded {folded:?}, policy done: {}", state.is_seen_to())
    }
}
