//! Two processes that share nothing but two traits: a server, and a client that it starts and tells where to connect.
//!
//! Run it without arguments. The server starts this same program once more, as the client.

use std::process::Stdio;
use std::time::Duration;

use communica::{AnyConnector, CallError, LocalConnector, RouteClient, RouteServer};
use tokio::process::Command;
use tokio::sync::mpsc;

/// What the server offers.
#[communica::service]
trait Calculator {
    /// Adds two numbers.
    async fn add(&self, a: i64, b: i64) -> i64;
    /// Divides one number by another.
    async fn divide(&self, a: f64, b: f64) -> Result<f64, MathError>;
    /// Writes a line where the server runs.
    async fn log(&self, line: &str);
}

/// What the client offers, so that the server can call it back.
#[communica::service]
trait Display {
    /// Shows a text and tells how many letters it has.
    async fn show(&self, text: &str) -> usize;
}

#[derive(Debug, thiserror::Error, communica::ServiceError)]
enum MathError {
    #[error("division by zero")]
    #[service_error(code = 400)]
    DivisionByZero,
    #[error("{value} is more than a pocket calculator shows")]
    #[service_error(code = 500, responder)]
    Overflow { value: f64 },
}

struct Pocket {
    lines: mpsc::UnboundedSender<String>,
}

impl Calculator for Pocket {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    async fn divide(&self, a: f64, b: f64) -> Result<f64, MathError> {
        match a / b {
            _ if b == 0.0 => Err(MathError::DivisionByZero),
            value if value > 99_999_999.0 => Err(MathError::Overflow { value }),
            value => Ok(value),
        }
    }

    async fn log(&self, line: &str) {
        let _ = self.lines.send(line.to_owned());
    }
}

struct Screen {
    shown: mpsc::UnboundedSender<()>,
}

impl Display for Screen {
    async fn show(&self, text: &str) -> usize {
        println!("client | the server calls show({text:?})");
        let _ = self.shown.send(());
        text.chars().count()
    }
}

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    match std::env::args().nth(1) {
        None => tokio::time::timeout(Duration::from_secs(30), serve()).await?,
        Some(state) => call(&state).await,
    }
}

async fn serve() -> Result<(), Failure> {
    // The name is ours alone, so that two runs do not meet.
    let connector = LocalConnector::new(format!("quickstart-{}", std::process::id()));
    let (lines, mut logged) = mpsc::unbounded_channel();
    let server = RouteServer::new(connector, Pocket { lines }.into_routes()).start().await?;
    println!("server | listens, and starts the client");

    let mut child = Command::new(std::env::current_exe()?);
    let mut child = child.arg(server.dump_state()).stdin(Stdio::null()).kill_on_drop(true).spawn()?;

    let line = logged.recv().await.ok_or("the server ended before the client logged a line")?;
    println!("server | the client threw log({line:?})");

    let display = DisplayClient::new(server.peer("pocket-1").await);
    let letters = display.show("Grüße vom Server").await?;
    println!("server | the client answered: {letters} letters");

    let status = child.wait().await?;
    server.stop().await;
    println!("server | the client ended ({status}), goodbye");
    if status.success() { Ok(()) } else { Err("the client failed".into()) }
}

async fn call(state: &str) -> Result<(), Failure> {
    let (shown, mut was_shown) = mpsc::unbounded_channel();
    let routes = Screen { shown }.into_routes();
    let connector = AnyConnector::load_state(state)?;
    let client = RouteClient::builder(connector).client_id("pocket-1").routes(routes).connect().await?;

    let calculator = CalculatorClient::new(&client);
    println!("client | add(2, 3) = {}", calculator.add(2, 3).await?);
    match calculator.divide(1.0, 0.0).await {
        Err(CallError::Service(MathError::DivisionByZero)) => {
            println!("client | divide(1, 0): division by zero")
        }
        other => return Err(format!("an unexpected outcome: {other:?}").into()),
    }
    match calculator.divide(1e9, 0.1).await {
        Err(CallError::Service(MathError::Overflow { value })) => {
            println!("client | divide(1e9, 0.1): {value} is too much")
        }
        other => return Err(format!("an unexpected outcome: {other:?}").into()),
    }
    calculator.throw_log("no answer wanted").await?;

    // Closing lets the handler that runs finish, so the server gets its answer.
    was_shown.recv().await;
    client.close().await;
    println!("client | goodbye");
    Ok(())
}
