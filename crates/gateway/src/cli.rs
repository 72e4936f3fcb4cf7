//! The command line, to the letter of the contract in docs/cli.md.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};

use moorline_taxonomy::Request;

use crate::{
    commands, demo,
    exit::{self, Exit, Failure},
    logging, settings, signals,
    state_dir::StateDir,
    stress::plan::Faults,
    terminal,
};

const FAIL_CLOSED: &str = "\
A lock is never removed while its owner lives. staleMs and maxHoldMs decide when a live lock is reported, never when \
it is removed: a stuck owner blocks its session until it ends or is asked to let go with `moorline lock revoke`.";

#[derive(Debug, Parser)]
#[command(name = "moorline", version, about = "Who may write a session's transcript, and what happens when somebody else did", after_help = FAIL_CLOSED)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See the main job: a live gateway, runner processes, sends, spawns, a stopped and a killed owner, and an audit
    Demo(DemoArgs),
    /// Run a gateway: sessions that send to and spawn each other, over JSON-RPC on loopback
    Serve(ServeArgs),
    /// Call a method of the running gateway
    Call(CallArgs),
    /// Give an agent the session tools: an MCP server on standard input and output, before the running gateway
    Mcp(McpArgs),
    /// Take one turn of a session in this process, beside whatever the gateway does
    #[command(after_help = FAIL_CLOSED)]
    Agent(AgentArgs),
    /// Run a live gateway and runner processes under faults, and prove from the files that nothing was lost
    Stress(StressArgs),
    /// Check from the files alone that every promise was kept exactly once
    Audit(AuditArgs),
    /// Look at everything a state directory needs, and say what to do
    Doctor(DoctorArgs),
    /// Say what errors are and what each consumer does about them: JSON Lines in, one line out for each
    Classify(ClassifyArgs),
    /// The results of sub-agents that are on their way, or could not be delivered
    #[command(subcommand)]
    Announce(AnnounceCommand),
    /// Replies that were paid for and could not be written, because another writer had the session
    #[command(subcommand)]
    Parked(ParkedCommand),
    /// Run QA scenarios against a live gateway
    #[command(subcommand)]
    Qa(Qa),
    /// Acquire, look at, clean and revoke session locks
    #[command(subcommand, after_help = FAIL_CLOSED)]
    Lock(Lock),
}

#[derive(Debug, Subcommand)]
enum Lock {
    /// Run a command while holding the lock of FILE
    #[command(after_help = FAIL_CLOSED)]
    Exec(LockExec),
    /// Show who holds a lock: PATH is a transcript, a lock file, or a directory (with those in it)
    Inspect(LockInspect),
    /// Remove the locks of dead owners in a directory and those in it, and what killed processes left behind
    Sweep(LockSweep),
    /// Ask a live owner to cancel its run and release; deletes nothing
    #[command(after_help = FAIL_CLOSED)]
    Revoke(LockRevoke),
}

#[derive(Debug, Args)]
pub(crate) struct LockExec {
    /// Longest wait for the lock in milliseconds, or Infinity (session.writeLock.acquireTimeoutMs)
    #[arg(long, value_name = "N")]
    pub(crate) timeout_ms: Option<String>,
    /// Age in milliseconds past which a live lock is reported as too-old; it is never removed for it
    #[arg(long, value_name = "N")]
    pub(crate) stale_ms: Option<String>,
    /// Hold in milliseconds past which this lock is reported as hold-exceeded; it is never removed for it
    #[arg(long, value_name = "N")]
    pub(crate) max_hold_ms: Option<String>,
    /// What to do about a live stale lock: fail at once, or use the rest of the wait first
    #[arg(long, value_name = "report|wait")]
    pub(crate) on_stale: Option<OnStale>,
    /// The run this command belongs to; a second request by the same run is refused at once
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: Option<String>,
    /// Errors as one JSON line on stderr
    #[arg(long)]
    pub(crate) json: bool,
    /// The file whose lock is held
    pub(crate) file: PathBuf,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OnStale {
    Report,
    Wait,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keep the state directory and say where it is
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The state directory (MOORLINE_STATE_DIR)
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1", value_name = "IP", value_parser = ip)]
    pub(crate) host: String,
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 7433)]
    pub(crate) port: u16,
    /// The script of the scripted model (YAML); without one a built-in script answers
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// End when standard input ends
    #[arg(long, hide = true)]
    pub(crate) with_parent: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// The method, as sessions.send
    pub(crate) method: String,
    /// Its parameters, a JSON object
    #[arg(value_name = "JSON")]
    pub(crate) params: Option<String>,
    /// The state directory (MOORLINE_STATE_DIR)
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Errors as one JSON line on stderr
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    /// The state directory (MOORLINE_STATE_DIR)
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// The session that the tools speak for: it is the sender, and gets the results of its sub-agents
    #[arg(long, value_name = "KEY")]
    pub(crate) session: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    /// The session, agent:<agent>:<rest>
    #[arg(long, value_name = "KEY")]
    pub(crate) session: String,
    /// The user's message
    #[arg(long, value_name = "TEXT")]
    pub(crate) message: String,
    /// The state directory (MOORLINE_STATE_DIR)
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// The script of the scripted model (YAML)
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// The outcome as JSON on stdout, errors as one JSON line on stderr
    #[arg(long)]
    pub(crate) json: bool,
    /// Rewrite the transcript first, as a compaction does, holding the lock at least this long
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) compact_first_ms: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct StressArgs {
    /// Agents
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) agents: u32,
    /// Sessions of each agent
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) sessions: u32,
    /// Runner processes at a time, on the same transcripts as the gateway
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) processes: u32,
    /// Turns asked of each session
    #[arg(long, default_value_t = 40, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) turns: u32,
    /// Over how many seconds the turns are spread
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: u32,
    /// What is done to the processes: some of kill, stop, clock, disk and net, or none
    #[arg(long, default_value = "kill,stop", value_name = "LIST")]
    pub(crate) faults: Faults,
    /// What the plan is drawn from; a random one is taken and shown if it is not given
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Use this empty directory, and keep it
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Figures and invariants as a JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// One self-contained HTML page with the figures, the distribution of waits and a timeline
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The state directory (MOORLINE_STATE_DIR)
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// A JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The state directory (MOORLINE_STATE_DIR)
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// A JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AnnounceCommand {
    /// Show them all
    List(AnnounceList),
    /// Try one again now; what may have arrived is looked up first
    Retry(AnnounceSeq),
    /// End one; nobody is told
    Dismiss(AnnounceSeq),
}

#[derive(Debug, Args)]
pub(crate) struct AnnounceList {
    /// The state directory (MOORLINE_STATE_DIR)
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// A JSON array on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AnnounceSeq {
    /// Its number, as `announce list` shows it
    pub(crate) seq: u64,
    /// The state directory (MOORLINE_STATE_DIR)
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// A JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ParkedCommand {
    /// Show them all, or those of one session
    List(ParkedList),
    /// Write one into its transcript, under the session lock
    Append(ParkedId),
    /// Drop one
    Dismiss(ParkedId),
}

#[derive(Debug, Args)]
pub(crate) struct ParkedList {
    /// Only this session's
    #[arg(long, value_name = "KEY")]
    pub(crate) session: Option<String>,
    /// The state directory (MOORLINE_STATE_DIR)
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// A JSON array on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ParkedId {
    /// The session
    #[arg(long, value_name = "KEY")]
    pub(crate) session: String,
    /// Its id, as `parked list` shows it
    pub(crate) id: String,
    /// The state directory (MOORLINE_STATE_DIR)
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// A JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
enum Qa {
    /// Run the scenarios of FILE...; only local contention is retried, and every retry is shown
    Run(QaRun),
}

#[derive(Debug, Args)]
pub(crate) struct QaRun {
    /// Scenarios (YAML)
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Use the gateway that serves this state directory instead of starting one
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// The report as JSON on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// The report as JUnit XML too
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Retries of the whole run (default 20)
    #[arg(long, value_name = "N")]
    pub(crate) retries: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct ClassifyArgs {
    /// Where the errors were met
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) surface: ClassifySurface,
    /// JSON Lines on stdout, also on a terminal
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClassifySurface {
    Auto,
    Provider,
    Delivery,
}

fn ip(text: &str) -> Result<String, String> {
    text.parse::<std::net::IpAddr>()
        .map(|_| text.to_owned())
        .map_err(|_| "an IP address is needed, as 127.0.0.1".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct LockInspect {
    pub(crate) path: PathBuf,
    /// A JSON array on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LockSweep {
    pub(crate) dir: PathBuf,
    /// Say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// A JSON array on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LockRevoke {
    pub(crate) path: PathBuf,
    /// A JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // The file can say how logs are written, so that much of it is read first.
    let served = if let Command::Serve(args) = &cli.command {
        StateDir::default_root(args.state.as_deref()).ok()
    } else {
        None
    };
    logging::install(served.is_some(), settings::log_format(served.as_deref()));
    signals::fail_writes_beyond_the_limit();
    let (json, result) = dispatch(cli.command);
    match result {
        Ok(_) if terminal::output_lost() => Exit::Io.into(),
        Ok(exit) => exit.into(),
        Err(error) => {
            exit::report(&error, json);
            exit::of(&error).into()
        }
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    // The flag is looked for by hand, since the rest could not be read. What follows `--` is somebody else's.
    let json =
        std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json");
    if json && !asked {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let failure = Failure::new(Exit::Usage, Request::Format, first);
        exit::report(&failure.into(), true);
        return Exit::Usage.into();
    }
    match error.print() {
        // A closed pipe is a reader's choice.
        Err(lost) if asked && lost.kind() != std::io::ErrorKind::BrokenPipe => Exit::Io.into(),
        Ok(()) | Err(_) if asked => Exit::Ok.into(),
        Ok(()) | Err(_) => Exit::Usage.into(),
    }
}

fn dispatch(command: Command) -> (bool, anyhow::Result<Exit>) {
    match command {
        Command::Demo(args) => (false, demo::run(&args)),
        Command::Serve(args) => (false, commands::serve::run(&args)),
        Command::Call(args) => (args.json, commands::call::run(&args)),
        Command::Mcp(args) => (false, commands::mcp::run(&args)),
        Command::Agent(args) => (args.json, commands::agent::run(&args)),
        Command::Stress(args) => (args.json, commands::stress::run(&args)),
        Command::Audit(args) => (args.json, commands::audit::run(&args)),
        Command::Doctor(args) => (args.json, commands::doctor::run(&args)),
        Command::Classify(args) => (args.json, commands::classify::run(&args)),
        Command::Announce(command) => (command.json(), commands::announce::run(&command)),
        Command::Parked(command) => (command.json(), commands::parked::run(&command)),
        Command::Qa(Qa::Run(args)) => (args.json, commands::qa::run(&args)),
        Command::Lock(Lock::Exec(args)) => (args.json, commands::lock_exec::run(&args)),
        Command::Lock(Lock::Inspect(args)) => (args.json, commands::lock::inspect(&args)),
        Command::Lock(Lock::Sweep(args)) => (args.json, commands::lock::sweep(&args)),
        Command::Lock(Lock::Revoke(args)) => (args.json, commands::lock::revoke(&args)),
    }
}

impl AnnounceCommand {
    fn json(&self) -> bool {
        match self {
            Self::List(args) => args.json,
            Self::Retry(args) | Self::Dismiss(args) => args.json,
        }
    }
}

impl ParkedCommand {
    fn json(&self) -> bool {
        match self {
            Self::List(args) => args.json,
            Self::Append(args) | Self::Dismiss(args) => args.json,
        }
    }
}
