//! What a stress run will do and when: a pure function of its options, the seed among them.
//!
//! Calls, entries of another program and faults come from three streams of random numbers, so that the same seed asks for
//! the same turns whatever faults are chosen. Times are planned, not paced by the answers: a gateway that is stopped does not make its callers
//! ask later, so their latency counts all of the wait.

use std::{str::FromStr, time::Duration};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::session_key::SessionKey;

/// The run's settings of the session lock. Small, so that a stop of a second is far past them.
pub(crate) const MAX_HOLD: Duration = Duration::from_millis(300);
pub(crate) const STALE: Duration = Duration::from_millis(600);
/// Exchanges after the first reply of a send.
const PING_PONG: u32 = 2;
/// How long after a call another program writes into its session: about as long as its turn takes.
const BESIDE: Duration = Duration::from_millis(150);
/// Pause between two faults: long enough for a killed gateway to be back and take turns before the next one.
const BETWEEN_FAULTS: Duration = Duration::from_millis(1_500);

/// What may be done to the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FaultKind {
    /// SIGKILL of a runner, or of the gateway, which is started again at once.
    Kill,
    /// SIGSTOP of a runner or of the gateway for longer than staleMs and maxHoldMs, then SIGCONT.
    Stop,
    /// Runners whose wall clock is days off; needs the program `faketime`.
    Clock,
    /// Files of a runner or of the gateway cannot grow for a while: short writes and EFBIG.
    Disk,
    /// Connections to the gateway are cut, delayed and half-closed.
    Net,
}

/// A list of faults as the command line has it: `kill,stop`, or `none`.
#[derive(Clone, Debug)]
pub(crate) struct Faults(pub(crate) Vec<FaultKind>);

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let known =
            FaultKind::value_variants().iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
        let kinds = text.split(',').map(|name| {
            <FaultKind as ValueEnum>::from_str(name, false)
                .map_err(|_| format!("{name:?} is no fault; there are {known}, and none"))
        });
        let mut kinds = kinds.collect::<Result<Vec<_>, _>>()?;
        kinds.sort_unstable();
        kinds.dedup();
        Ok(Self(kinds))
    }
}

impl FaultKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Clock => "clock",
            Self::Disk => "disk",
            Self::Net => "net",
        }
    }
}

/// What a run is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    pub(crate) agents: u32,
    /// Sessions of each agent.
    pub(crate) sessions: u32,
    /// Runner processes at a time.
    pub(crate) processes: u32,
    /// Turns asked of each session.
    pub(crate) turns: u32,
    /// Over how long they are spread.
    pub(crate) seconds: u32,
    pub(crate) faults: Vec<FaultKind>,
    pub(crate) seed: u64,
}

/// The calls, the entries of another program and the faults of a run, each in the order of time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) sessions: Vec<SessionKey>,
    pub(crate) steps: Vec<Step>,
    pub(crate) notes: Vec<Note>,
    pub(crate) faults: Vec<Fault>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) number: usize,
    pub(crate) at: Duration,
    pub(crate) call: Call,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// `sessions.send`, answered in ping-pong.
    Send { from: SessionKey, to: SessionKey, ping_pong: u32 },
    /// `sessions.spawn` of a child that spawns one itself.
    Spawn { requester: SessionKey, agent: String },
    /// `agent`: a user's turn in the gateway.
    Turn { session: SessionKey },
    /// A turn in a process of its own.
    Runner { session: SessionKey },
}

/// An entry that another program writes into a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) number: usize,
    pub(crate) at: Duration,
    pub(crate) session: SessionKey,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum What {
    /// A name for the session.
    Name,
    /// State of a program.
    State,
    /// A user's message: a run that is under way is taken over.
    Message,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) number: usize,
    pub(crate) at: Duration,
    pub(crate) kind: FaultKind,
    pub(crate) deed: Deed,
}

/// What is done, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    KillGateway,
    StopGateway {
        span: Duration,
    },
    FullDiskOfGateway {
        span: Duration,
    },
    Net {
        weather: Weather,
        span: Duration,
    },
    /// A runner of its own takes a turn on this session and comes to harm.
    Runner {
        session: SessionKey,
        harm: Harm,
    },
}

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Cut once the request is through: its effect may be there, its answer is not.
    Cut,
    /// Every piece comes late.
    Delay(Duration),
    /// The caller's side ends after the request; the gateway's side goes on.
    HalfClose,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Killed while it holds the lock, or after this time wherever it is then.
    Kill(Moment),
    Stop(Moment, Duration),
    /// Its wall clock is off by this.
    Clock(&'static str),
    FullDisk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// While it holds the lock.
    Holding,
    /// That long after its start, whatever it does then.
    After(Duration),
}

pub(crate) fn plan(options: &Options) -> Plan {
    let sessions = sessions(options);
    let mut random = fastrand::Rng::with_seed(options.seed);
    let steps = steps(options, &sessions, &mut random);
    let mut random = fastrand::Rng::with_seed(options.seed ^ 0x6e6f_7465_7300);
    let notes = notes(&steps, &mut random);
    let mut random = fastrand::Rng::with_seed(options.seed ^ 0x6661_756c_7473);
    let faults = faults(options, &sessions, &mut random);
    Plan { sessions, steps, notes, faults }
}

fn sessions(options: &Options) -> Vec<SessionKey> {
    let keys = (1..=options.agents)
        .flat_map(|agent| (1..=options.sessions).map(move |session| format!("agent:a{agent}:s{session}")));
    keys.filter_map(|key| key.parse().ok()).collect()
}

fn steps(options: &Options, sessions: &[SessionKey], random: &mut fastrand::Rng) -> Vec<Step> {
    let length = Duration::from_secs(u64::from(options.seconds));
    let count = sessions.len() * options.turns as usize;
    let every = length / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    let mut order: Vec<usize> = (0..sessions.len()).collect();
    let mut steps = Vec::with_capacity(count);
    for round in 0..options.turns as usize {
        random.shuffle(&mut order);
        for (place, &session) in order.iter().enumerate() {
            let number = round * sessions.len() + place;
            let at = every * u32::try_from(number).unwrap_or(u32::MAX) + within(every, random);
            let call = call(sessions, session, options.agents, random);
            steps.push(Step { number, at, call });
        }
    }
    steps
}

fn call(sessions: &[SessionKey], to: usize, agents: u32, random: &mut fastrand::Rng) -> Call {
    let session = sessions[to].clone();
    // Another session than the one asked; with one session alone nobody is there to send.
    let other = (sessions.len() > 1).then(|| (to + random.usize(1..sessions.len())) % sessions.len());
    match (random.u32(0..100), other) {
        (0..45, Some(other)) => {
            Call::Send { from: sessions[other].clone(), to: session, ping_pong: random.u32(0..=PING_PONG) }
        }
        (45..60, _) => {
            Call::Spawn { requester: session, agent: format!("a{}", random.u32(1..=agents.max(1))) }
        }
        (60..75, _) => Call::Turn { session },
        (_, _) => Call::Runner { session },
    }
}

/// An entry beside every other call, at a time when its run may wait for the model.
fn notes(steps: &[Step], random: &mut fastrand::Rng) -> Vec<Note> {
    let mut notes = Vec::new();
    for step in steps {
        let what = match random.u32(0..16) {
            0..4 => What::Name,
            4..7 => What::State,
            7 => What::Message,
            _ => continue,
        };
        let at = step.at + within(BESIDE, random);
        notes.push(Note { number: notes.len(), at, session: step.call.session().clone(), what });
    }
    notes.sort_by_key(|note| note.at);
    notes
}

fn faults(options: &Options, sessions: &[SessionKey], random: &mut fastrand::Rng) -> Vec<Fault> {
    let length = Duration::from_secs(u64::from(options.seconds));
    let mut kinds = options.faults.clone();
    let mut faults: Vec<Fault> = Vec::new();
    let mut at = BETWEEN_FAULTS / 2;
    // The last ones come early enough for turns to be asked after them.
    while at + BETWEEN_FAULTS < length && !kinds.is_empty() && !sessions.is_empty() {
        random.shuffle(&mut kinds);
        for &kind in &kinds {
            let deed = deed(kind, sessions, random);
            faults.push(Fault { number: faults.len(), at, kind, deed });
            at += BETWEEN_FAULTS / 2 + within(BETWEEN_FAULTS, random);
        }
    }
    faults.retain(|fault| fault.at + BETWEEN_FAULTS < length);
    faults
}

fn deed(kind: FaultKind, sessions: &[SessionKey], random: &mut fastrand::Rng) -> Deed {
    let session = sessions[random.usize(0..sessions.len())].clone();
    let moment = if random.bool() {
        Moment::Holding
    } else {
        Moment::After(within(Duration::from_millis(60), random))
    };
    // Past both thresholds, by an amount that differs.
    let span = MAX_HOLD.max(STALE) + Duration::from_millis(100) + within(Duration::from_millis(500), random);
    let runner = |harm| Deed::Runner { session, harm };
    match (kind, random.u32(0..3)) {
        (FaultKind::Kill, 0) => Deed::KillGateway,
        (FaultKind::Kill, _) => runner(Harm::Kill(moment)),
        (FaultKind::Stop, 0) => Deed::StopGateway { span },
        (FaultKind::Stop, _) => runner(Harm::Stop(moment, span)),
        (FaultKind::Clock, which) => runner(Harm::Clock(["+10d", "-10d", "+2h"][which as usize])),
        (FaultKind::Disk, 0) => runner(Harm::FullDisk),
        (FaultKind::Disk, _) => Deed::FullDiskOfGateway { span },
        (FaultKind::Net, 0) => Deed::Net { weather: Weather::Cut, span },
        (FaultKind::Net, 1) => Deed::Net { weather: Weather::Delay(span / 4), span },
        (FaultKind::Net, _) => Deed::Net { weather: Weather::HalfClose, span },
    }
}

fn within(span: Duration, random: &mut fastrand::Rng) -> Duration {
    span.mul_f64(random.f64())
}

impl Call {
    /// The session that takes the turn.
    pub(crate) fn session(&self) -> &SessionKey {
        match self {
            Self::Send { to: session, .. }
            | Self::Spawn { requester: session, .. }
            | Self::Turn { session }
            | Self::Runner { session } => session,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(faults: &[FaultKind]) -> Options {
        Options {
            agents: 3,
            sessions: 4,
            processes: 3,
            turns: 20,
            seconds: 20,
            faults: faults.to_vec(),
            seed: 7,
        }
    }

    #[test]
    fn the_same_options_are_the_same_plan_and_another_seed_is_another() {
        let all = options(FaultKind::value_variants());
        assert_eq!(plan(&all), plan(&all));
        assert_ne!(plan(&all), plan(&Options { seed: 8, ..all.clone() }));
    }

    #[test]
    fn faults_do_not_change_what_is_asked() {
        let calm = plan(&options(&[]));
        assert!(calm.faults.is_empty());
        let harmed = plan(&options(&[FaultKind::Kill, FaultKind::Disk]));
        assert_eq!((calm.steps, calm.notes), (harmed.steps, harmed.notes));
    }

    #[test]
    fn every_session_is_asked_for_its_turns_and_every_kind_of_fault_comes() {
        let plan = plan(&options(FaultKind::value_variants()));
        for session in &plan.sessions {
            let turns = plan.steps.iter().filter(|step| step.call.session() == session).count();
            assert_eq!(turns, 20, "{session}");
        }
        for kind in FaultKind::value_variants() {
            assert!(plan.faults.iter().any(|fault| fault.kind == *kind), "{kind:?}");
        }
        for what in [What::Name, What::State, What::Message] {
            assert!(plan.notes.iter().any(|note| note.what == what), "{what:?}");
        }
        assert!(
            plan.steps.is_sorted_by_key(|step| step.at) && plan.faults.is_sorted_by_key(|fault| fault.at)
        );
        assert!(plan.faults.iter().all(|fault| fault.at < Duration::from_secs(20)));
    }
}
