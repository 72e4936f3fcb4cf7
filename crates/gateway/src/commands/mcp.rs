//! `moorline mcp`: the session tools on standard input and output, for an agent that starts its tools itself.

use crate::{cli::McpArgs, exit::Exit, mcp, session_key::SessionKey, state_dir::StateDir};

pub(crate) fn run(args: &McpArgs) -> anyhow::Result<Exit> {
    let state = StateDir::existing(args.state.as_deref())?;
    let session: Option<SessionKey> = args.session.as_deref().map(str::parse).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(mcp::serve(state, session));
    // A read of standard input cannot be taken back; it is left behind.
    runtime.shutdown_background();
    served.map(|()| Exit::Ok)
}
