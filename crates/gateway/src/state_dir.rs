//! The state directory: where it is, who may use it, and what lies in it.
//!
//! ```text
//! gateway.lock      locked by `serve` for its life; says who
//! gateway.json      where the gateway listens, while it runs
//! token             the bearer token, mode 0600
//! config.yaml       settings, if the operator wrote some
//! outbox.sqlite     the announce outbox; only `serve` opens it
//! cooldowns.sqlite  which providers' models are left alone until when; every process opens it
//! events/           what each process accepted and did, one JSONL file a process
//! holds/            waits and holds of locks, where somebody asked for them by making the folder
//! sessions/AGENT/   transcripts, their locks, torn tails and parked replies
//! ```
//!
//! Directories are 0700 and files 0600. `serve` owns the directory through an operating-system lock that dies with it;
//! `agent` processes share it.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use moorline_taxonomy::{Coordination, Local, Request};
use serde::{Deserialize, Serialize};

use crate::{
    exit::{Exit, Failure},
    session_key::SessionKey,
};

/// A state directory that exists.
#[derive(Clone, Debug)]
pub(crate) struct StateDir {
    root: PathBuf,
}

/// Where a running gateway listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listening {
    pub(crate) pid: u32,
    pub(crate) address: String,
}

/// The exclusive right to serve a state directory, until dropped.
pub(crate) struct Served {
    _file: File,
}

impl StateDir {
    /// Creates the directory and its parts where they are missing.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        let create = |path: &Path| {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .with_context(|| format!("cannot create the state directory {}", path.display()))
        };
        create(root)?;
        let root = root.canonicalize().with_context(|| format!("cannot resolve {}", root.display()))?;
        create(&root.join("sessions"))?;
        create(&root.join("events"))?;
        Ok(Self { root })
    }

    /// A state directory that must be there already: reading commands do not make one up from a mistyped path.
    pub(crate) fn existing(given: Option<&Path>) -> anyhow::Result<Self> {
        let root = Self::default_root(given)?;
        let sessions = match fs::metadata(root.join("sessions")) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(error).with_context(|| {
                    format!(
                        "cannot look into {}: run moorline as its owner, or give another --state DIR",
                        root.display()
                    )
                });
            }
            found => found.is_ok_and(|found| found.is_dir()),
        };
        if !sessions {
            let message = format!(
                "{} is not a state directory; `moorline serve` or `moorline agent` makes one, --state DIR names another",
                root.display()
            );
            return Err(Failure::new(Exit::BadInput, Request::Format, message).into());
        }
        Self::open(&root)
    }

    /// A directory as it is: nothing is created, for those that only look.
    pub(crate) fn as_it_is(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The directory given, or `MOORLINE_STATE_DIR`, or `moorline` in the user's state home.
    #[allow(clippy::disallowed_methods, reason = "the program reads the environment, its libraries do not")]
    pub(crate) fn default_root(given: Option<&Path>) -> anyhow::Result<PathBuf> {
        if let Some(given) = given {
            return Ok(given.to_owned());
        }
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        var("MOORLINE_STATE_DIR")
            .or_else(|| var("XDG_STATE_HOME").map(|home| home.join("moorline")))
            .or_else(|| var("HOME").map(|home| home.join(".local/state/moorline")))
            .ok_or_else(|| {
                let message = "no state directory: give --state DIR or set MOORLINE_STATE_DIR";
                Failure::new(Exit::Config, Local::Config, message).into()
            })
    }

    /// The mode of the directory, if it lets other users in. Who made it may have meant that, so it is said and not changed.
    pub(crate) fn open_to_others(&self) -> anyhow::Result<Option<u32>> {
        let mode = fs::metadata(&self.root)?.permissions().mode() & 0o777;
        Ok(Some(mode).filter(|mode| mode & 0o077 != 0))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn sessions(&self) -> PathBuf {
        self.root.join("sessions")
    }

    pub(crate) fn events(&self) -> PathBuf {
        self.root.join("events")
    }

    pub(crate) fn outbox(&self) -> PathBuf {
        self.root.join("outbox.sqlite")
    }

    /// The cooldowns of providers, which all processes of the directory share; made here, readable by its owner alone.
    #[cfg(feature = "providers")]
    pub(crate) fn cooldowns(&self) -> anyhow::Result<PathBuf> {
        let path = self.root.join("cooldowns.sqlite");
        private().write(true).create(true).truncate(false).open(&path).with_context(|| unwritable(&path))?;
        Ok(path)
    }

    /// The transcript of a session; its folder is created.
    pub(crate) fn transcript(&self, key: &SessionKey) -> anyhow::Result<PathBuf> {
        let path = self.sessions().join(key.file());
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(path)
    }

    /// Every session that has a transcript.
    pub(crate) fn session_keys(&self) -> anyhow::Result<Vec<SessionKey>> {
        let mut keys = Vec::new();
        for agent in fs::read_dir(self.sessions())? {
            let agent = agent?;
            if !agent.file_type()?.is_dir() {
                continue;
            }
            let name = agent.file_name();
            for file in fs::read_dir(agent.path())? {
                let file = file?.file_name();
                if let (Some(agent), Some(file)) = (name.to_str(), file.to_str()) {
                    keys.extend(SessionKey::of_file(agent, file));
                }
            }
        }
        keys.sort();
        Ok(keys)
    }

    /// Takes the exclusive right to serve this directory, or says who has it.
    #[allow(clippy::disallowed_methods, reason = "the room of the state directory's lock")]
    pub(crate) fn serve(&self) -> anyhow::Result<Served> {
        let path = self.root.join("gateway.lock");
        let file = private().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.with_context(|| unwritable(&path))?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => {
                let mut says = String::new();
                let _ = Read::by_ref(&mut file).take(1024).read_to_string(&mut says);
                let owner = says.trim();
                let owner = if owner.is_empty() { "another process" } else { owner };
                let message = format!(
                    "{} is served by {owner}; one gateway at a time owns a state directory",
                    self.root.display()
                );
                return Err(Failure::new(Exit::Busy, Coordination::StorageBusy, message).into());
            }
            Err(fs4::TryLockError::Error(error)) => {
                return Err(error).context("cannot lock the state directory");
            }
        }
        file.set_len(0)?;
        write!(file, "pid {}", std::process::id())?;
        Ok(Served { _file: file })
    }

    /// Says where this gateway listens. The lock file says who; this one says where.
    pub(crate) fn announce(&self, listening: &Listening) -> anyhow::Result<()> {
        self.replace("gateway.json", &serde_json::to_vec_pretty(listening)?)
    }

    /// Takes that back at the end, so that nobody calls an address that is somebody else's by then.
    #[allow(
        clippy::disallowed_methods,
        reason = "the gateway's own file, under the lock of the state directory"
    )]
    pub(crate) fn retract(&self) {
        let _ = fs::remove_file(self.root.join("gateway.json"));
    }

    /// Where the gateway of this directory listens.
    pub(crate) fn listening(&self) -> anyhow::Result<Listening> {
        let path = self.root.join("gateway.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let message =
                    format!("no gateway serves {}; start one with `moorline serve`", self.root.display());
                return Err(Failure::new(Exit::Unavailable, Local::Config, message).into());
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let read = serde_json::from_slice::<Listening>(&bytes).map_err(|error| error.to_string());
        let read = read.and_then(|listening| match listening.address.parse::<SocketAddr>() {
            Ok(_) => Ok(listening),
            Err(_) => Err("its address is no IP address with a port".to_owned()),
        });
        read.map_err(|problem| {
            let message = format!(
                "{} does not say where a gateway listens: {problem}; restart the gateway, which writes it anew, or remove it \
                 if none runs",
                path.display()
            );
            Failure::new(Exit::BadInput, Request::Format, message).into()
        })
    }

    /// The bearer token; made on first use.
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        let path = self.root.join("token");
        match fs::read_to_string(&path) {
            Ok(token) if token.trim().len() >= 32 => {
                let open_to_others = fs::metadata(&path)?.permissions().mode() & 0o077 != 0;
                if open_to_others {
                    let message = format!(
                        "{} can be read by other users; remove it to have a new one made",
                        path.display()
                    );
                    return Err(Failure::new(Exit::Config, Local::Config, message).into());
                }
                return Ok(token.trim().to_owned());
            }
            Ok(_) => {
                let message = format!(
                    "{} does not hold a token of at least 32 characters; remove it to have a new one made",
                    path.display()
                );
                return Err(Failure::new(Exit::Config, Local::Config, message).into());
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).context("cannot read the token"),
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.replace("token", token.as_bytes())?;
        Ok(token)
    }

    /// Creates a file of the directory, mode 0600, empty.
    pub(crate) fn create_private(&self, name: &str) -> anyhow::Result<File> {
        Ok(private().write(true).create(true).truncate(true).open(self.root.join(name))?)
    }

    /// Writes a file so that a reader sees the old or the new one, never half of it.
    #[allow(
        clippy::disallowed_methods,
        reason = "the private name is made here, and the files replaced are the gateway's own"
    )]
    fn replace(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let private_name = self.root.join(format!(".{name}.{}", std::process::id()));
        let mut file = private().write(true).create(true).truncate(true).open(&private_name)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&private_name, self.root.join(name))?;
        Ok(())
    }
}

/// Every command but `doctor` writes: at least that it is here.
pub(crate) fn unwritable(path: &Path) -> String {
    format!(
        "{} cannot be written; make the state directory writable, or give a copy of it as --state DIR",
        path.display()
    )
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}
