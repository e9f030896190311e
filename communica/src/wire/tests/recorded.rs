//! Every recording of the Python library, whole and at every split point.

use serde::Deserialize;
use serde_json::Value;

use super::super::hello::{self, ClientHello, Opening, ServerHello};
use super::*;

#[derive(Deserialize)]
struct Index {
    recordings: Vec<Recording>,
}

#[derive(Deserialize)]
struct Recording {
    file: String,
    case: String,
    messages: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    metadata: Value,
    /// In hex digits.
    payload: String,
}

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wire/recordings")
}

fn recordings() -> Vec<(Recording, Vec<u8>)> {
    let index = std::fs::read(folder().join("recordings.json")).expect("run `cargo xtask record`");
    let index: Index = serde_json::from_slice(&index).unwrap();
    let read = |recording: Recording| {
        let bytes = std::fs::read(folder().join(&recording.file)).unwrap();
        (recording, bytes)
    };
    index.recordings.into_iter().map(read).collect()
}

/// The bytes of one recording.
pub(super) fn bytes_of(file: &str) -> Vec<u8> {
    std::fs::read(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(recording: &Recording, received: &[Message]) {
    let Recording { file, messages: expected, .. } = recording;
    assert_eq!(received.len(), expected.len(), "{file}");
    for (message, expected) in received.iter().zip(expected) {
        let metadata: Value = serde_json::from_slice(message.metadata.as_bytes()).unwrap();
        assert_eq!(metadata, expected.metadata, "{file}");
        assert_eq!(message.metadata.id(), expected.metadata["id"].as_str().unwrap(), "{file}");
        assert_eq!(message.metadata.kind().code(), expected.metadata["type"].as_i64().unwrap(), "{file}");
        assert_eq!(message.metadata.route().as_deref(), expected.metadata["route"].as_str(), "{file}");
        assert_eq!(hex(&message.payload), expected.payload, "{file}");
    }
}

fn is_handshake(recording: &Recording) -> bool {
    recording.case.starts_with("hello") || recording.case.starts_with("refused")
}

#[test]
fn every_recording_is_read_at_every_split_point() {
    let mut read = 0;
    for (recording, bytes) in recordings() {
        if is_handshake(&recording) || recording.case.starts_with("close") {
            continue;
        }
        check(&recording, &messages(decode([&bytes[..]]).unwrap()));
        for at in 1..bytes.len() {
            check(&recording, &messages(decode([&bytes[..at], &bytes[at..]]).unwrap()));
        }
        check(&recording, &messages(decode(bytes.chunks(1)).unwrap()));
        read += 1;
    }
    assert!(read >= 40, "only {read} recordings of messages were found");
}

#[test]
fn close_notify_is_read_and_written_as_recorded() {
    for file in ["close_client.bin", "close_server.bin"] {
        let recorded = bytes_of(file);
        assert!(matches!(decode([&recorded[..]]).unwrap()[..], [Received::Close(None)]), "{file}");
        let mut ours = BytesMut::new();
        put_close(&mut ours, None);
        assert_eq!(&ours[..], recorded, "{file}");
    }
}

#[test]
fn hellos_are_read_at_every_split_point() {
    for (recording, bytes) in recordings().iter().filter(|(recording, _)| recording.case.starts_with("hello"))
    {
        for at in 0..bytes.len() {
            assert_eq!(hello::opening(&bytes[..at]), Ok(Opening::Incomplete), "{} at {at}", recording.file);
        }
        let Opening::Hello(text, taken) = hello::opening(bytes).unwrap() else {
            panic!("{}", recording.file)
        };
        assert_eq!(taken, bytes.len());
        match recording.case.as_str() {
            "hello_client" => assert!(!hello::decode::<ClientHello>(text).unwrap().client_id.is_empty()),
            "hello_server" => assert_eq!(hello::decode::<ServerHello>(text).unwrap(), ServerHello::new(None)),
            other => panic!("an unknown hello: {other}"),
        }
    }
}

#[test]
fn a_refusal_is_read() {
    for (recording, bytes) in recordings().iter().filter(|(recording, _)| recording.case == "refused") {
        assert_eq!(hello::opening(bytes), Ok(Opening::Incomplete), "{}", recording.file);
        let reason = hello::refusal(bytes).unwrap();
        assert_eq!(hello::refusal(&hello::encode_refusal(&reason)), Some(reason.clone()));
        assert!(reason.starts_with("not you"), "{}: {reason}", recording.file);
    }
}

#[test]
fn error_answers_are_read() {
    let answer = |file: &str, kind: FaultKind| {
        let received = messages(decode([&bytes_of(file)[..]]).unwrap());
        assert_eq!(received[0].metadata.kind(), kind.kind(), "{file}");
        Fault::from_bytes(kind, &received[0].payload)
    };
    for json in ["json", "orjson"] {
        let fault = answer(&format!("error_req_code_answer.{json}.bin"), FaultKind::Req);
        assert_eq!((fault.message(), fault.code()), ("bad request", Some(400)));
        let fault = answer(&format!("error_req_answer.{json}.bin"), FaultKind::Req);
        assert_eq!(fault.code(), None);
        let fault = answer(&format!("error_resp_code_answer.{json}.bin"), FaultKind::Resp);
        assert!(fault.code().is_some());
        let fault = answer(&format!("error_unknown_answer.{json}.bin"), FaultKind::Unknown);
        assert!(!fault.message().is_empty() && fault.code().is_none());
        let fault = answer(&format!("error_load_answer.{json}.bin"), FaultKind::Serializer);
        assert!(!fault.message().is_empty());
    }
}
