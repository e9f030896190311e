//! Chunks in good order and bad → messages, as a simple model puts them together.

use bytes::Bytes;

use super::frames::decode;
use super::script::{Script, cut};
use crate::wire::WireLimits;

const METADATA: &[u8] = br#"{"id":"a","type":1,"route":"r"}"#;
const LIMITS: WireLimits = WireLimits { message: 600, metadata: 40, left_out: 2000 };
/// One piece may be too large.
const SMALL: WireLimits = WireLimits { message: 100, metadata: 40, left_out: 600 };

/// Target `chunks`: four sizes of pieces, then what each frame is.
pub fn chunks(input: &[u8]) {
    for limits in [LIMITS, SMALL] {
        chunks_within(limits, input);
    }
}

fn chunks_within(limits: WireLimits, input: &[u8]) {
    let mut script = Script::new(input);
    let sizes = script.take(4);
    let (mut model, mut stream) = (Model::new(limits), Vec::new());
    while !script.is_over() && stream.len() < 64 * 1024 {
        let frame = Frame::choose(&mut script, &model);
        frame.write(&mut stream);
        if !model.wrong {
            model.take(&frame);
        }
    }
    for read in [decode([&stream[..]], limits), decode(cut(&stream, sizes), limits)] {
        assert_eq!(read.error.is_some(), model.wrong, "{:?}", read.error);
        assert_eq!(read.messages, model.messages);
        assert_eq!(read.left_out, model.left_out);
    }
}

/// A frame as it is written; whole messages have no place among chunks.
struct Frame {
    /// Index and total.
    place: Option<(u32, u32)>,
    metadata: &'static [u8],
    /// What the frame says of its length.
    metadata_len: u32,
    piece: Vec<u8>,
}

impl Frame {
    fn choose(script: &mut Script<'_>, model: &Model) -> Self {
        let what = script.byte();
        let right = match &model.open {
            Some(open) => (open.next, open.total),
            None => (0, script.pick(&[1, 2, 3, 200, 0, u32::MAX])),
        };
        let place = match what % 16 {
            0 => None,
            1 => Some((script.u32(), right.1)),
            2 => Some((right.0, script.u32())),
            3 => Some((0, script.pick(&[1, 2, 0, u32::MAX]))),
            _ => Some(right),
        };
        let first = place.is_none_or(|(index, _)| index == 0);
        let metadata: &[u8] = match what / 16 {
            0 => b"",
            1 => METADATA,
            2 => b"{\"id\":\"a\",\"type\":1,\"longer\":\"than is allowed\"}",
            3 => b"not JSON",
            _ if first => METADATA,
            _ => b"",
        };
        let metadata_len = if what / 16 == 4 { script.u32() } else { metadata.len() as u32 };
        let piece = vec![b'a' + what % 26; script.byte().into()];
        Self { place, metadata, metadata_len, piece }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        match self.place {
            None => body.extend_from_slice(&self.metadata_len.wrapping_add(4).to_be_bytes()),
            Some((index, total)) => {
                for number in [index, total, self.metadata_len] {
                    body.extend_from_slice(&number.to_be_bytes());
                }
            }
        }
        body.extend_from_slice(self.metadata);
        body.extend_from_slice(&self.piece);
        out.extend_from_slice(&(body.len() as u32 + 1).to_be_bytes());
        out.push(if self.place.is_some() { 11 } else { 10 });
        out.extend_from_slice(&body);
    }

    /// Metadata and payload as the lengths say; `None` if they cannot be.
    fn parts(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let len = self.metadata_len as usize;
        let counts_itself = self.place.is_none();
        if counts_itself && self.metadata_len.checked_add(4).is_none() {
            return None;
        }
        let mut all = [self.metadata, &self.piece].concat();
        if len > all.len() || len > LIMITS.metadata {
            return None;
        }
        let payload = all.split_off(len);
        Some((all, payload))
    }
}

/// What should come out.
struct Model {
    limits: WireLimits,
    messages: Vec<(Bytes, Bytes)>,
    /// Bytes of the payloads that are too large.
    left_out: Vec<usize>,
    open: Option<Open>,
    wrong: bool,
}

struct Open {
    metadata: Vec<u8>,
    payload: Vec<u8>,
    next: u32,
    total: u32,
}

impl Model {
    fn new(limits: WireLimits) -> Self {
        Self { limits, messages: Vec::new(), left_out: Vec::new(), open: None, wrong: false }
    }

    fn take(&mut self, frame: &Frame) {
        self.wrong = self.try_take(frame).is_none();
    }

    /// `None` if the stream has no meaning any more.
    fn try_take(&mut self, frame: &Frame) -> Option<()> {
        let (metadata, payload) = frame.parts()?;
        let Some((index, total)) = frame.place else {
            is_metadata(&metadata)?;
            self.came(metadata, payload);
            return Some(());
        };
        if index == 0 {
            is_metadata(&metadata)?;
            if self.open.is_some() || total == 0 {
                return None;
            }
            self.open = Some(Open { metadata, payload: Vec::new(), next: 0, total });
        }
        let Some(open) = &mut self.open else { return Some(()) };
        if (index, total) != (open.next, open.total) {
            return None;
        }
        let size = open.payload.len() + payload.len();
        let to_come = payload.len() as u64 * u64::from((total - index).saturating_sub(2));
        if size > self.limits.message && size as u64 + to_come > self.limits.left_out as u64 {
            return None;
        }
        open.payload.extend_from_slice(&payload);
        open.next += 1;
        if open.next == open.total {
            let Open { metadata, payload, .. } = self.open.take()?;
            self.came(metadata, payload);
        }
        Some(())
    }

    fn came(&mut self, metadata: Vec<u8>, mut payload: Vec<u8>) {
        if payload.len() > self.limits.message {
            self.left_out.push(payload.len());
            payload.clear();
        }
        self.messages.push((metadata.into(), payload.into()));
    }
}

/// What the target writes is right or no JSON at all.
fn is_metadata(text: &[u8]) -> Option<()> {
    serde_json::from_slice::<serde_json::Value>(text).ok()?.is_object().then_some(())
}
