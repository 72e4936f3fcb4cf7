//! `moorline serve`: a gateway in the foreground until a signal ends it.

use std::net::{IpAddr, SocketAddr};

use moorline_lock_core::{LockConfig, OnStale, control};

use crate::{
    cli::ServeArgs,
    engine::Engine,
    exit::Exit,
    model::script::Script,
    rpc,
    signals::{self, Ending},
    state_dir::{Listening, StateDir},
    terminal::say,
};

pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit = runtime.block_on(serve(args));
    runtime.shutdown_background();
    exit
}

async fn serve(args: &ServeArgs) -> anyhow::Result<Exit> {
    let mut ending = Ending::install()?;
    let state = StateDir::open(&StateDir::default_root(args.state.as_deref())?)?;
    let served = state.serve()?;
    let token = state.token()?;
    let config = lock_config()?;
    let script = script(args.script.as_deref())?;
    let engine = Engine::start(state.clone(), script, config.clone()).await?;
    let module = rpc::methods::module(std::sync::Arc::clone(&engine), config)?;
    let host: IpAddr = args.host.parse()?;
    let (address, server) = rpc::server::start(SocketAddr::new(host, args.port), &token, module).await?;
    state.announce(&Listening { pid: std::process::id(), address: address.to_string() })?;
    say(format!(
        "listening on http://{address}  state {}  token in {}",
        state.root().display(),
        state.root().join("token").display()
    ));
    let control = control::serve();
    tokio::pin!(control);
    let mut controlled = true;
    let number = loop {
        tokio::select! {
            number = ending.next() => break number,
            ended = &mut control, if controlled => {
                controlled = false;
                if let Err(error) = ended {
                    tracing::warn!(%error, "no control socket: locks of this gateway cannot be revoked from outside");
                }
            }
        }
    };
    tracing::info!(signal = number, "shutting down");
    engine.shut_down().await;
    let _ = server.stop();
    server.stopped().await;
    state.retract();
    drop(served);
    // A gateway that was asked to end and ended in order is a success; the other signals keep their meaning.
    if !signals::is_polite(number) {
        signals::end_by(number);
    }
    Ok(Exit::Ok)
}

/// The gateway's own turns wait for a stale lock instead of failing at once.
pub(crate) fn lock_config() -> anyhow::Result<LockConfig> {
    let gateway_default = LockConfig { on_stale: OnStale::Wait, ..LockConfig::default() };
    #[allow(clippy::disallowed_methods, reason = "the program reads the environment, its libraries do not")]
    let lookup = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    Ok(gateway_default.overridden_by(lookup)?)
}

pub(crate) fn script(path: Option<&std::path::Path>) -> anyhow::Result<Script> {
    use anyhow::Context;
    match path {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the script {}", path.display()))?;
            Script::parse(&text)
        }
        None => Script::built_in(),
    }
}
