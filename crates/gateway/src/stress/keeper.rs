//! The gateway under stress: killed, stopped and starved, and started again on the same state directory.
//!
//! One deed at a time is done to it; callers see its present address, and ask there again. A gateway that ends by itself, which
//! no fault may make it do, ends the run.

use std::{path::PathBuf, time::Duration};

use tokio::sync::{Mutex, watch};

use crate::{processes::Gateway, state_dir::StateDir};

/// How long it may take to come up or to end.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Keeper {
    state: StateDir,
    script: PathBuf,
    gateway: Mutex<Gateway>,
    address: watch::Sender<String>,
}

impl Keeper {
    pub(crate) async fn start(state: &StateDir, script: PathBuf) -> anyhow::Result<Self> {
        let gateway = start(state, &script).await?;
        let address = watch::Sender::new(gateway.address().to_owned());
        Ok(Self { state: state.clone(), script, gateway: Mutex::new(gateway), address })
    }

    /// Where the gateway listens now.
    pub(crate) fn address(&self) -> watch::Receiver<String> {
        self.address.subscribe()
    }

    /// Kills the gateway and starts another one at once; the killed one's pid.
    pub(crate) async fn kill(&self) -> anyhow::Result<u32> {
        let mut gateway = self.gateway.lock().await;
        let pid = gateway.pid();
        gateway.check()?;
        gateway.kill().await?;
        *gateway = start(&self.state, &self.script).await?;
        self.address.send_replace(gateway.address().to_owned());
        Ok(pid)
    }

    /// Stops the gateway for `span`.
    pub(crate) async fn stop(&self, span: Duration) -> anyhow::Result<u32> {
        let mut gateway = self.gateway.lock().await;
        gateway.freeze()?;
        tokio::time::sleep(span).await;
        gateway.thaw()?;
        gateway.check()?;
        Ok(gateway.pid())
    }

    /// Keeps its files from growing beyond `bytes` for `span`.
    pub(crate) async fn starve(&self, bytes: u64, span: Duration) -> anyhow::Result<u32> {
        let mut gateway = self.gateway.lock().await;
        gateway.limit_files(Some(bytes))?;
        tokio::time::sleep(span).await;
        gateway.check()?;
        gateway.limit_files(None)?;
        Ok(gateway.pid())
    }

    /// Ends it in order.
    pub(crate) async fn end(&self) -> anyhow::Result<()> {
        self.gateway.lock().await.stop(PATIENCE).await.map(drop)
    }
}

async fn start(state: &StateDir, script: &std::path::Path) -> anyhow::Result<Gateway> {
    Gateway::start(state, PATIENCE, |command| {
        command.arg("--script").arg(script);
    })
    .await
}
