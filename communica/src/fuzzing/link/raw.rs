//! The hostile side: bytes by hand.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{sleep, timeout};

use super::super::script::Script;
use super::road::{Knocking, Road};

/// It does not wait for room for longer.
const BRIEFLY: Duration = Duration::from_millis(100);

pub(super) struct Raw {
    side: Side,
    stream: Option<DuplexStream>,
    /// What came and was not looked at.
    heard: Vec<u8>,
    /// Ids of requests that came.
    ids: Vec<String>,
    /// What our side calls its session.
    instance: String,
}

enum Side {
    Client(Road),
    Server(Knocking),
}

impl Raw {
    pub(super) fn client(road: &Road) -> Self {
        Self::new(Side::Client(road.clone()))
    }

    pub(super) fn server(knocking: Knocking) -> Self {
        Self::new(Side::Server(knocking))
    }

    fn new(side: Side) -> Self {
        Self { side, stream: None, heard: Vec::new(), ids: Vec::new(), instance: String::new() }
    }

    /// A new connection instead of the one it had.
    pub(super) async fn connect(&mut self) {
        self.hang_up();
        self.stream = match &mut self.side {
            Side::Client(road) => road.open().ok(),
            // A client that lost its connection comes back after a while.
            Side::Server(knocking) => timeout(Duration::from_secs(1), knocking.recv()).await.ok().flatten(),
        };
    }

    pub(super) fn hang_up(&mut self) {
        self.stream = None;
        self.heard.clear();
    }

    async fn send(&mut self, bytes: &[u8]) {
        if let Some(stream) = &mut self.stream {
            // What was not taken is left out, so the rest has another meaning: that is fine.
            let _ = timeout(BRIEFLY, stream.write_all(bytes)).await;
        }
    }

    pub(super) async fn greet(&mut self, script: &mut Script<'_>) {
        let own = match self.side {
            Side::Client(_) => script.pick(&["\"client_id\":\"a\"", "\"client_id\":\"b\""]),
            Side::Server(_) => "\"hello\":\"hello\"",
        };
        let hello = match script.below(8) {
            0..=2 => format!("{{{own}}}\0"),
            3 => script.pick(&["\0", "null\0", "{}\0", "\u{4}{\"reason\":\"no\"}"]).to_owned(),
            4 => {
                format!("{{{own},\"communica\":{}}}\0", script.pick(&["5", "{}", "{\"instance\":5}", "[[[["]))
            }
            _ => format!("{{{own},\"communica\":{}}}\0", self.about(script)),
        };
        self.send(hello.as_bytes()).await;
    }

    /// What goes beyond 0.4, true or not.
    fn about(&self, script: &mut Script<'_>) -> String {
        let instance = script.pick(&["one", "two"]);
        let features =
            script.pick(&["", "\"resume\"", "\"resume\",\"cancel\",\"heartbeat\"", "\"later\",\"cancel\""]);
        let silence = script.pick(&[5000, 0, 1, 100, u64::MAX]);
        let size = script.pick(&[4096, 0, 100, u64::MAX]);
        let keeps = script.pick(&["[9,9999]", "[0,0]", "[1,1]", "null"]);
        let heard = match script.below(8) {
            0..=3 => "null".to_owned(),
            which => {
                let count = [0, 1, 3, u64::MAX][which - 4];
                format!("{{\"instance\":\"{}\",\"messages\":{count}}}", self.instance)
            }
        };
        format!(
            "{{\"instance\":\"{instance}\",\"features\":[{features}],\"silence_ms\":{silence},\
             \"message_size\":{size},\"unacknowledged\":{keeps},\"heard\":{heard}}}"
        )
    }

    pub(super) async fn send_bytes(&mut self, script: &mut Script<'_>) {
        let count = script.byte();
        self.send(script.take(count.into())).await;
    }

    fn metadata(&self, script: &mut Script<'_>) -> String {
        let known = self.ids.iter().map(String::as_str);
        let ids: Vec<&str> = ["x", "", "2", "9", "18446744073709551615"].into_iter().chain(known).collect();
        let id = ids[ids.len() - 1 - script.below(ids.len())];
        let kind = script.pick(&[1, 2, 1, 11, 30, 41, 42, 51, 3, 4, 5, 6, 7, 8, 9, 10, 101, 102, -1]);
        let route = script.pick(&["echo", "later", "back", "nowhere"]);
        let more = script.pick(&["", ",\"timeout_ms\":0", ",\"timeout_ms\":20", ",\"more\":[{\"a\":1}]"]);
        format!(r#"{{"id":"{id}","type":{kind},"route":"{route}"{more}}}"#)
    }

    fn message(&self, script: &mut Script<'_>) -> Vec<u8> {
        let metadata = self.metadata(script);
        let m = (4 + metadata.len() as u32).to_be_bytes();
        frame(10, &[&m[..], metadata.as_bytes(), &payload(script)].concat())
    }

    pub(super) async fn send_message(&mut self, script: &mut Script<'_>) {
        let message = self.message(script);
        self.send(&message).await;
    }

    pub(super) async fn flood(&mut self, script: &mut Script<'_>) {
        let message = self.message(script);
        let all = message.repeat(script.byte().into());
        self.send(&all).await;
    }

    pub(super) async fn vanish_inside_a_frame(&mut self, script: &mut Script<'_>) {
        let message = self.message(script);
        self.send(&message[..script.below(message.len().min(256))]).await;
        self.hang_up();
    }

    pub(super) async fn send_chunk(&mut self, script: &mut Script<'_>) {
        let (index, total) =
            script.pick(&[(0, 2), (1, 2), (0, 1), (0, 9), (2, 9), (1, 9), (0, u32::MAX), (0, 0)]);
        let metadata = if index == 0 { self.metadata(script) } else { String::new() };
        let numbers = [index, total, metadata.len() as u32].map(u32::to_be_bytes).concat();
        let body = [&numbers[..], metadata.as_bytes(), &payload(script)].concat();
        self.send(&frame(11, &body)).await;
    }

    pub(super) async fn send_close(&mut self, script: &mut Script<'_>) {
        let reason = script.pick(&[
            "",
            "{\"reason\":\"tired\"}",
            "another connection with the same client id took over",
        ]);
        self.send(&frame(20, reason.as_bytes())).await;
    }

    /// Takes what has come, and notes the ids of requests.
    pub(super) async fn listen(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        let mut room = [0; 4096];
        while let Ok(Ok(1..)) = timeout(Duration::ZERO, async {
            let read = stream.read(&mut room).await?;
            self.heard.extend_from_slice(&room[..read]);
            std::io::Result::Ok(read)
        })
        .await
        {}
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.heard)).into_owned();
        for piece in text.split("{\"id\":\"").skip(1) {
            let id = piece.split('"').next().unwrap_or_default();
            self.ids.push(id.to_owned());
        }
        if let Some(instance) = text.split("\"instance\":\"").nth(1) {
            self.instance = instance.split('"').next().unwrap_or_default().to_owned();
        }
        let old = self.ids.len().saturating_sub(8);
        self.ids.drain(..old);
    }

    /// Answers what it was asked, once or twice.
    pub(super) async fn answer(&mut self, script: &mut Script<'_>) {
        self.listen().await;
        let kind = script.pick(&[11, 11, 30, 41, 42, 51]);
        for id in std::mem::take(&mut self.ids) {
            let metadata = format!(r#"{{"id":"{id}","type":{kind}}}"#);
            let m = (4 + metadata.len() as u32).to_be_bytes();
            let answer = frame(10, &[&m[..], metadata.as_bytes(), &payload(script)].concat());
            self.send(&answer.repeat(1 + script.below(2))).await;
        }
        sleep(Duration::ZERO).await;
    }
}

fn payload(script: &mut Script<'_>) -> Vec<u8> {
    let small = ["1", "null", "\"text\"", "{\"message\":\"m\",\"code\":4}", "", "not JSON", "[[[["];
    match script.below(small.len() + 2) {
        7 => [b"\"", &[b'x'; 700][..], b"\""].concat(),
        8 => vec![b'1'; 5000],
        which => small[which].into(),
    }
}

fn frame(code: u8, body: &[u8]) -> Vec<u8> {
    let length = (1 + body.len() as u32).to_be_bytes();
    [&length[..], &[code], body].concat()
}
