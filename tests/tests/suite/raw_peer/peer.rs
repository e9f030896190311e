//! Plain bytes go out and come in over a socket, with the few helpers a script needs.

use std::time::Duration;

use communica::{
    Limits, LocalConnector, RouteClient, RouteServer, RouteServerHandle, RouteTable, TcpConnector,
};
use communica_tests::patiently;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{echo, unique};

/// What the other side has to do, it does within this time.
pub(crate) fn limit() -> Duration {
    patiently(10)
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One end of a connection, without any of the library's code.
pub(crate) struct RawPeer(Box<dyn Stream>);

/// A frame that came: its code and its body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) code: u8,
    pub(crate) body: Vec<u8>,
}

#[cfg(unix)]
async fn local_stream(name: &str) -> impl AsyncRead + AsyncWrite + Send + Unpin + 'static {
    let path = std::env::temp_dir().join("communica").join(format!("{name}.sock"));
    tokio::net::UnixStream::connect(path).await.expect("the server listens")
}

#[cfg(windows)]
async fn local_stream(name: &str) -> impl AsyncRead + AsyncWrite + Send + Unpin + 'static {
    use tokio::net::windows::named_pipe::ClientOptions;

    const BUSY: i32 = 231;
    let path = format!(r"\\.\pipe\communica.{name}");
    let opened = timeout(limit(), async {
        loop {
            match ClientOptions::new().open(&path) {
                // Another client was quicker.
                Err(error) if error.raw_os_error() == Some(BUSY) => tokio::task::yield_now().await,
                other => return other,
            }
        }
    });
    opened.await.expect("the server lets clients in").expect("the server listens")
}

impl RawPeer {
    pub(crate) async fn local(name: &str) -> Self {
        Self::of(local_stream(name).await)
    }

    pub(crate) async fn tcp(port: u16) -> Self {
        Self::of_tcp(TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens"))
    }

    /// Dropping it ends the connection, also where a process that was started meanwhile inherited the socket.
    pub(crate) fn of_tcp(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        Self::of(tokio::io::join(read, write))
    }

    pub(crate) fn of(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Box::new(stream))
    }

    /// Sends; that the other side has closed already is seen by who reads.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // The end of a pipe takes what it is given whole, and keeps what the other does not: that must not be much.
        for piece in bytes.chunks(64 * 1024) {
            let sent = timeout(limit(), self.0.write_all(piece)).await.expect("the server reads");
            if sent.is_err() {
                return;
            }
        }
    }

    pub(crate) async fn send_hello(&mut self, id: &str) {
        self.send(format!("{{\"client_id\": \"{id}\"}}\0").as_bytes()).await;
    }

    /// The whole handshake, as a client.
    pub(crate) async fn hello(&mut self, id: &str) {
        self.send_hello(id).await;
        let theirs: Value = serde_json::from_slice(&self.read_hello().await).unwrap();
        assert_eq!(theirs["hello"], "hello");
    }

    /// The whole handshake, as a client that says this of itself. Returns the server's hello.
    pub(crate) async fn introduce(&mut self, id: &str, about: &Value) -> Value {
        let hello = json!({"client_id": id, "communica": about});
        self.send(format!("{hello}\0").as_bytes()).await;
        serde_json::from_slice(&self.read_hello().await).expect("a hello is JSON")
    }

    /// What stands before the zero byte.
    pub(crate) async fn read_hello(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        loop {
            match timeout(limit(), self.0.read_u8()).await.expect("the other side says hello").unwrap() {
                0 => return text,
                byte => text.push(byte),
            }
        }
    }

    pub(crate) async fn send_message(&mut self, metadata: &str, payload: &[u8]) {
        self.send(&message(metadata, payload)).await;
    }

    /// The next frame; `None` when the other side ended the connection.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        timeout(limit(), async {
            let length = self.0.read_u32().await.ok()? as usize;
            let mut frame = vec![0; length];
            self.0.read_exact(&mut frame).await.ok()?;
            Some(Frame { code: frame[0], body: frame[1..].to_vec() })
        })
        .await
        .expect("the other side says something or ends the connection")
    }

    /// The next message, as its metadata's text and its payload.
    pub(crate) async fn message(&mut self) -> (String, Vec<u8>) {
        let frame = self.frame().await.expect("a message comes");
        assert_eq!(frame.code, 10, "{:?}", String::from_utf8_lossy(&frame.body));
        let m = u32::from_be_bytes(frame.body[..4].try_into().unwrap()) as usize;
        (String::from_utf8(frame.body[4..m].to_vec()).unwrap(), frame.body[m..].to_vec())
    }

    /// Asks for the echo of a number, which is what comes next.
    pub(crate) async fn expect_served(&mut self) {
        self.send_message(r#"{"id": "still", "type": 1, "route": "echo"}"#, b"7").await;
        let (metadata, payload) = self.message().await;
        assert_eq!(metadata, r#"{"id": "still", "type": 11, "route": "echo"}"#);
        assert_eq!(payload, b"7");
    }

    /// The same, whatever else comes before the echo.
    pub(crate) async fn expect_served_among_others(&mut self) {
        self.send_message(r#"{"id": "still", "type": 1, "route": "echo"}"#, b"7").await;
        while self.message().await.0 != r#"{"id": "still", "type": 11, "route": "echo"}"# {}
    }

    /// As a server: answers the next request.
    pub(crate) async fn answer_one(&mut self) {
        let (metadata, _) = self.message().await;
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        self.send_message(&format!(r#"{{"id": {}, "type": 11}}"#, metadata["id"]), b"1").await;
    }

    /// The other side ended the connection; what it said before is thrown away.
    pub(crate) async fn has_ended(&mut self) -> bool {
        let mut said = [0; 1024];
        while let Ok(read) = timeout(Duration::ZERO, self.0.read(&mut said)).await {
            if matches!(read, Ok(0) | Err(_)) {
                return true;
            }
        }
        false
    }

    /// The other side ends the connection; until then it may send what it likes, which is given back.
    pub(crate) async fn expect_end(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        // A reset is an end too.
        let _ = timeout(limit(), self.0.read_to_end(&mut all)).await.expect("the connection ends");
        all
    }

    /// The other side has let go of the connection: nothing more can be sent to it.
    pub(crate) async fn expect_gone(&mut self) {
        let piece = [0; 64 * 1024];
        while timeout(limit(), self.0.write_all(&piece)).await.expect("nobody holds what is not read").is_ok()
        {
        }
    }
}

/// A message frame.
pub(crate) fn message(metadata: &str, payload: &[u8]) -> Vec<u8> {
    let m = 4 + metadata.len();
    let mut body = (m as u32).to_be_bytes().to_vec();
    body.extend(metadata.as_bytes());
    body.extend(payload);
    frame(10, &body)
}

/// A chunk frame.
pub(crate) fn chunk(index: u32, total: u32, metadata: &str, piece: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for number in [index, total, metadata.len() as u32] {
        body.extend(number.to_be_bytes());
    }
    body.extend(metadata.as_bytes());
    body.extend(piece);
    frame(11, &body)
}

pub(crate) fn frame(code: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = (1 + body.len() as u32).to_be_bytes().to_vec();
    frame.push(code);
    frame.extend(body);
    frame
}

/// A server that echoes, on TCP and on a local socket, and a client of each that must not suffer.
pub(crate) struct Victim {
    roads: [(RouteServerHandle, RouteClient); 2],
    name: String,
    port: u16,
}

impl Victim {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::new(), echo()).await
    }

    pub(crate) async fn with(limits: Limits, routes: RouteTable) -> Self {
        let name = unique("raw");
        let local = RouteServer::new(LocalConnector::new(&name), routes.clone()).limits(limits.clone());
        let local = local.start().await.unwrap();
        let tcp = RouteServer::new(TcpConnector::new("127.0.0.1", 0), routes).limits(limits);
        let tcp = tcp.start().await.unwrap();
        let state: Value = serde_json::from_str(&tcp.dump_state()).unwrap();
        let port = u16::try_from(state["port"].as_u64().unwrap()).unwrap();
        let healthy_local = RouteClient::connect(LocalConnector::new(&name)).await.unwrap();
        let healthy_tcp = RouteClient::connect(TcpConnector::new("127.0.0.1", port)).await.unwrap();
        Self { roads: [(local, healthy_local), (tcp, healthy_tcp)], name, port }
    }

    /// A raw connection over each road.
    pub(crate) async fn attackers(&self) -> [RawPeer; 2] {
        [RawPeer::local(&self.name).await, RawPeer::tcp(self.port).await]
    }

    /// The same, after the handshake.
    pub(crate) async fn greeted(&self) -> [RawPeer; 2] {
        let mut attackers = self.attackers().await;
        for attacker in &mut attackers {
            attacker.hello(&unique("attacker")).await;
        }
        attackers
    }

    pub(crate) fn servers(&self) -> impl Iterator<Item = &RouteServerHandle> {
        self.roads.iter().map(|(server, _)| server)
    }

    /// The clients from before are served, and a new one is.
    pub(crate) async fn assert_healthy(&self) {
        for (server, client) in &self.roads {
            assert_eq!(client.request::<_, i64>("echo", &1).await.expect("an old client is served"), 1);
            let connector = communica::AnyConnector::load_state(&server.dump_state()).unwrap();
            let new = RouteClient::connect(connector).await.expect("a new client is let in");
            assert_eq!(new.request::<_, i64>("echo", &2).await.expect("a new client is served"), 2);
        }
    }
}
