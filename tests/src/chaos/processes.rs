//! A plan → a run with the server and the client in processes of their own.

use std::pin::pin;
use std::time::Duration;

use super::plan::Plan;
use super::side::{Report, Side};
use crate::itself::{Another, told_to_end};

/// What one of the two processes does: works, says `done`, and ends with its report when it is told to. Arguments: the plan,
/// and for the client the server's state.
///
/// # Panics
/// It was not started by [`run`].
pub async fn act(role: &str, arguments: &[String]) {
    let plan = arguments.first().expect("the first argument is the plan");
    let plan: Plan = serde_json::from_str(plan).expect("it is a plan");
    let side = match role {
        "server" => Side::listen(&plan).await,
        _ => Side::connect(&plan, arguments.get(1).expect("the second argument is the state")).await,
    };
    println!("ready {}", if role == "server" { side.state() } else { String::new() });
    // One for both: a line that somebody began to read is not there for the next.
    let mut told = pin!(told_to_end());
    tokio::select! {
        () = side.work() => {}
        () = told.as_mut() => return,
    }
    println!("done");
    told.await;
    println!("report {}", serde_json::to_string(&side.end().await).expect("a report is plain"));
}

/// Runs both. The reports of the server and of the client.
///
/// # Errors
/// A process ended early, or the run took longer than `patience`.
pub async fn run(plan: &Plan, patience: Duration) -> Result<[Report; 2], String> {
    // Dropping them kills them.
    let run = tokio::time::timeout(patience, run_untimed(plan));
    run.await.unwrap_or_else(|_| Err(format!("it did not end within {patience:?}")))
}

async fn run_untimed(plan: &Plan) -> Result<[Report; 2], String> {
    let text = serde_json::to_string(plan).map_err(|error| error.to_string())?;
    let mut server = Another::start("server", &["server", &text]);
    let state = server.says("ready").await?;
    let mut client = Another::start("client", &["client", &text, &state]);
    client.says("ready").await?;
    tokio::try_join!(server.says("done"), client.says("done"))?;
    // The client first: its goodbye needs somebody to hear it.
    let client = report(&mut client).await?;
    Ok([report(&mut server).await?, client])
}

async fn report(side: &mut Another) -> Result<Report, String> {
    side.finish().await?;
    serde_json::from_str(&side.says("report").await?).map_err(|error| error.to_string())
}
