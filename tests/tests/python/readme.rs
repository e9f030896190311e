//! The README's programs in Python, word for word but for the name of their socket, with ours at the other end.

use std::process::{Output, Stdio};

use communica::{CallError, Error, LocalConnector, RouteClient, RouteServer, RouteServerHandle};
use communica_tests::in_time;
use communica_tests::python::interpreter;
use communica_tests::scratch::unique;
use tokio::process::Command;

const README: &str = include_str!("../../../README.md");

#[communica::service]
trait Greeter {
    async fn greet(&self, name: &str, times: u32) -> String;
}

struct Desk;

impl Greeter for Desk {
    async fn greet(&self, name: &str, times: u32) -> String {
        format!("Hello {name}! ").repeat(times as usize)
    }
}

/// The program with this in it.
fn program(what: &str, socket: &str) -> Command {
    let mut programs = README.split("```python\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    let program = programs.find(|program| program.contains(what)).expect("the README has this program");
    let mut python = Command::new(interpreter());
    python.arg("-c").arg(program.replace("readme", socket)).kill_on_drop(true);
    python
}

async fn output(mut program: Command) -> Output {
    program.stdin(Stdio::null()).output().await.expect("Python starts")
}

async fn desk(socket: &str) -> RouteServerHandle {
    RouteServer::new(LocalConnector::new(socket), Desk.into_routes()).start().await.expect("the name is free")
}

#[tokio::test]
async fn its_client_calls_our_server() {
    in_time(async {
        let socket = unique("readme");
        let _server = desk(&socket).await;
        let output = output(program("await client.request('greet'", &socket)).await;
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told.trim_end_matches(['\r', '\n']), "Hello Ada! Hello Ada! ", "{output:?}");
    })
    .await;
}

#[tokio::test]
async fn our_client_calls_its_server() {
    in_time(async {
        let socket = unique("readme");
        let mut server =
            program("server.run()", &socket).stdout(Stdio::null()).spawn().expect("Python starts");
        let client = RouteClient::connect(LocalConnector::new(&socket)).await.expect("it listens soon");
        let greeter = GreeterClient::new(client);
        assert_eq!(greeter.greet("Ada", 2).await.expect("an answer"), "Hello Ada! Hello Ada! ");
        let refused = greeter.greet("", 1).await;
        assert!(
            matches!(&refused, Err(CallError::Failed(Error::Req(error)))
                if error.message() == "nobody to greet" && error.code() == Some(400)),
            "{refused:?}"
        );
        server.kill().await.expect("it can be killed");
        let left = std::env::temp_dir().join("communica").join(format!("{socket}.sock"));
        std::fs::remove_file(left).expect("who is killed leaves its socket");
    })
    .await;
}

#[tokio::test]
async fn its_client_of_a_broker_can_be_made() {
    in_time(async {
        let output = output(program("RmqConnector(", "readme")).await;
        assert!(output.status.success(), "{output:?}");
    })
    .await;
}
