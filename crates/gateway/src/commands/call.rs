//! `moorline call METHOD [JSON]`: one RPC call, its answer as JSON.

use moorline_taxonomy::Request;

use crate::{
    cli::CallArgs,
    exit::{Exit, Failure},
    rpc::client::Client,
    state_dir::StateDir,
    terminal::say,
};

pub(crate) fn run(args: &CallArgs) -> anyhow::Result<Exit> {
    let params = match args.params.as_deref() {
        None => serde_json::json!({}),
        Some(text) => serde_json::from_str(text).map_err(|error| {
            Failure::new(Exit::BadInput, Request::Format, format!("the parameters are not JSON: {error}"))
        })?,
    };
    if !params.is_object() {
        return Err(
            Failure::new(Exit::BadInput, Request::Format, "the parameters must be a JSON object").into()
        );
    }
    let state = StateDir::existing(args.state.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = Client::connect(&state)?;
    let answer = runtime.block_on(client.call(&args.method, params))?;
    say(serde_json::to_string_pretty(&answer)?);
    Ok(Exit::Ok)
}
