//! A frame is a record in JSON, and nothing else.

use super::Frames;
use crate::record::Record;

#[derive(Clone, Copy)]
pub struct Json;

impl Frames for Json {
    fn put_request(self, _: u64, record: &Record, out: &mut Vec<u8>) {
        serde_json::to_writer(out, record).expect("records have a JSON form");
    }

    fn answer(self, request: &[u8], out: &mut Vec<u8>) {
        let record: Record = serde_json::from_slice(request).expect("a record");
        serde_json::to_writer(out, &record).expect("records have a JSON form");
    }

    fn read_answer(self, answer: &[u8]) -> (Option<u64>, Record) {
        (None, serde_json::from_slice(answer).expect("a record"))
    }
}
