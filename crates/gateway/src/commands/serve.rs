//! `moorline serve`: a gateway in the foreground until a signal ends it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use moorline_lock_core::{OnStale, control};
use moorline_taxonomy::{Code, Local};

use crate::{
    cli::ServeArgs,
    engine::Engine,
    exit::Exit,
    mcp, metrics,
    model::Models,
    page,
    rpc::{self, auth::Admission, limits::Limits, server::Listener},
    settings,
    signals::{self, Ending},
    state_dir::{Listening, StateDir},
    terminal::say,
};

/// How long connections may take to end once all turns have.
const DRAIN: Duration = Duration::from_secs(3);

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
    if let Some(mode) = state.open_to_others()? {
        let path = state.root().display();
        tracing::warn!(
            code = %Code::from(Local::Permission),
            "other users can get at the state directory {path} (mode {mode:o}); `chmod 700 {path}` closes it"
        );
    }
    let token = state.token()?;
    // The gateway's own turns wait for a stale lock instead of failing at once.
    let settings = settings::load(&state, OnStale::Wait)?;
    let metrics = metrics::install()?;
    let models = Models::open(&settings, args.script.as_deref(), &state)?;
    let engine = Engine::start(state.clone(), models, &settings).await?;
    let (module, document) = rpc::methods::module(Arc::clone(&engine), settings.lock)?;
    let host: IpAddr = args.host.parse()?;
    let listener = Listener::bind(SocketAddr::new(host, args.port)).await?;
    let address = listener.address();
    let mcp = mcp::Http::new(&engine);
    let guarded =
        mcp.routes().merge(metrics.routes(Arc::clone(&engine))).merge(rpc::openrpc::routes(document));
    let admission = Admission::new(&token, address)?;
    let server = listener.serve(rpc::door::router(
        admission,
        Limits::new(settings.limits.calls_per_second()),
        module,
        engine.events().clone(),
        guarded,
        page::routes(),
    ));
    state.announce(&Listening { pid: std::process::id(), address: address.to_string() })?;
    say(format!(
        "listening on http://{address}  state {}  token in {}",
        state.root().display(),
        state.root().join("token").display()
    ));
    let control = control::serve();
    tokio::pin!(control);
    let mut controlled = true;
    let parent = parent_gone(args.with_parent);
    tokio::pin!(parent);
    let number = loop {
        tokio::select! {
            number = ending.next() => break number,
            () = &mut parent => break signals::TERMINATE,
            ended = &mut control, if controlled => {
                controlled = false;
                if let Err(error) = ended {
                    tracing::warn!(%error, "no control socket: locks of this gateway cannot be revoked from outside");
                }
            }
        }
    };
    tracing::info!(signal = number, "shutting down");
    server.close();
    engine.shut_down().await;
    mcp.close();
    if !server.closed(DRAIN).await {
        tracing::warn!("some connections did not end in time and were cut");
    }
    state.retract();
    drop(served);
    // A gateway that was asked to end and ended in order is a success; the other signals keep their meaning.
    if !signals::is_polite(number) {
        signals::end_by(number);
    }
    Ok(Exit::Ok)
}

/// Completes when standard input ends, if it was asked to: whoever started this gateway is gone, however it died.
async fn parent_gone(asked: bool) {
    if asked {
        let mut stdin = tokio::io::stdin();
        let mut nothing = [0; 64];
        while matches!(tokio::io::AsyncReadExt::read(&mut stdin, &mut nothing).await, Ok(read) if read > 0) {}
    } else {
        std::future::pending::<()>().await;
    }
}
