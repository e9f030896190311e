//! A frame as the library has it, with the least that its metadata can be read and written with: one route, one order
//! of keys, numbers for ids.

use std::io::Write as _;

use super::Frames;
use crate::record::Record;

/// Code 10: a message. Then the length of the metadata with these four bytes, the metadata, and the payload.
const MESSAGE: u8 = 10;
const HEAD: usize = 5;
const REQUEST: &[u8] = br#"","type":1,"route":"echo"}"#;
const ANSWER: &[u8] = br#"","type":11,"route":"echo"}"#;
const ID: &[u8] = br#"{"id":""#;

#[derive(Clone, Copy)]
pub struct Wire;

impl Frames for Wire {
    fn put_request(self, number: u64, record: &Record, out: &mut Vec<u8>) {
        let metadata = |out: &mut Vec<u8>| {
            out.extend_from_slice(ID);
            write!(out, "{number}").expect("memory takes it");
            out.extend_from_slice(REQUEST);
        };
        put(metadata, record, out);
    }

    fn answer(self, request: &[u8], out: &mut Vec<u8>) {
        let (id, record) = read(request, REQUEST);
        let metadata = |out: &mut Vec<u8>| {
            out.extend_from_slice(ID);
            out.extend_from_slice(id);
            out.extend_from_slice(ANSWER);
        };
        put(metadata, &record, out);
    }

    fn read_answer(self, answer: &[u8]) -> (Option<u64>, Record) {
        let (id, record) = read(answer, ANSWER);
        let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
        (Some(id.expect("a number")), record)
    }
}

fn put(metadata: impl FnOnce(&mut Vec<u8>), record: &Record, out: &mut Vec<u8>) {
    out.push(MESSAGE);
    let start = out.len();
    out.extend([0; 4]);
    metadata(out);
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    serde_json::to_writer(out, record).expect("records have a JSON form");
}

/// The id and the record, of a frame whose metadata ends as it should.
fn read<'a>(frame: &'a [u8], end: &[u8]) -> (&'a [u8], Record) {
    assert_eq!(frame[0], MESSAGE);
    let length: [u8; 4] = frame[1..HEAD].try_into().expect("four bytes");
    let (metadata, payload) = frame[1..].split_at(u32::from_be_bytes(length) as usize);
    let id = metadata[4..].strip_prefix(ID).and_then(|rest| rest.strip_suffix(end));
    let record = serde_json::from_slice(payload).expect("a record");
    (id.expect("metadata as it is written here"), record)
}
