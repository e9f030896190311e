//! Metadata that differs from the last in its id alone, as that of all calls of a route does, and of their answers: what stands where is
//! known without reading it again.

use std::cell::RefCell;

use super::Parts;
use crate::wire::WireError;
use crate::wire::scan::Text;

/// A longer text is not kept.
const LONGEST: usize = 1024;

thread_local! {
    /// All links of a thread share it: an idle one keeps nothing, and what their peers ask for is often the same.
    static LAST: RefCell<Last> = const { RefCell::new(Last { text: Vec::new(), parts: None }) };
}

struct Last {
    text: Vec<u8>,
    parts: Option<Parts>,
}

/// What stands where in `text`.
pub(super) fn parts(text: &[u8]) -> Result<Parts, WireError> {
    // At the end of a thread there is none any more, and sessions may end later than that.
    LAST.try_with(|last| last.borrow_mut().parts(text)).unwrap_or_else(|_| Parts::read(text))
}

impl Last {
    fn parts(&mut self, text: &[u8]) -> Result<Parts, WireError> {
        if let Some(parts) = self.parts.and_then(|parts| of_alike(text, &self.text, parts)) {
            return Ok(parts);
        }
        let parts = Parts::read(text)?;
        if text.len() <= LONGEST && !parts.id.escaped {
            self.text.clear();
            self.text.extend_from_slice(text);
            self.parts = Some(parts);
        }
        Ok(parts)
    }
}

/// The parts of `text`, if it is `known` but for its id. `parts`: those of `known`, whose id has no escapes.
fn of_alike(text: &[u8], known: &[u8], parts: Parts) -> Option<Parts> {
    let (before, behind) = (&known[..parts.id.start as usize], &known[parts.id.end as usize..]);
    let id = text.strip_prefix(before)?.strip_suffix(behind)?;
    // These end no string, and stand for themselves in one.
    if !id.iter().all(|&byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        return None;
    }
    let (old_end, end) = (parts.id.end, parts.id.start + u32::try_from(id.len()).ok()?);
    let moved = |at: u32| if at < old_end { at } else { at - old_end + end };
    Some(Parts {
        id: Text { end, ..parts.id },
        kind_at: (moved(parts.kind_at.0), moved(parts.kind_at.1)),
        route: parts.route.map(|route| Text { start: moved(route.start), end: moved(route.end), ..route }),
        ..parts
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// It is read as if nothing were known.
    fn agrees(text: &str) {
        let read = Parts::read(text.as_bytes());
        assert_eq!(parts(text.as_bytes()).ok(), read.ok(), "{text}");
    }

    fn is_alike(text: &str, known: &str) -> bool {
        let parts = Parts::read(known.as_bytes()).unwrap();
        of_alike(text.as_bytes(), known.as_bytes(), parts).is_some()
    }

    #[test]
    fn what_differs_in_its_id_is_alike() {
        for known in [
            r#"{"id":"a-1","type":1,"route":"add","timeout_ms":5}"#,
            r#"{"type":-11,"route":"r","id":"a-1","more":[]}"#,
            r#" { "route" : "a" , "id" : "a-1" , "type" : 2 } "#,
        ] {
            for id in ["", "a-2", "a-10000", " ", "!#[]^~"] {
                let text = known.replace("a-1", id);
                assert!(is_alike(&text, known), "{text}");
                agrees(known);
                agrees(&text);
            }
        }
    }

    #[test]
    fn what_may_mean_something_else_is_not() {
        let known = r#"{"id":"a-1","type":1}"#;
        for text in [
            r#"{"id":"a\u0031","type":1}"#,
            r#"{"id":"a\","type":1}"#,
            r#"{"id":"a","type":2,"x":"b","type":1}"#,
            "{\"id\":\"a\n\",\"type\":1}",
            r#"{"id":"ä","type":1}"#,
            r#"{"id":"a-1","type":2}"#,
            r#"{"id":"a-1","type":1} "#,
            r#"{"id":""#,
            "",
        ] {
            assert!(!is_alike(text, known), "{text}");
            agrees(known);
            agrees(text);
        }
        // What is no UTF-8 is not the better for standing where an id may.
        let parts = Parts::read(known.as_bytes()).unwrap();
        assert_eq!(of_alike(b"{\"id\":\"\xff\",\"type\":1}", known.as_bytes(), parts), None);
    }

    #[test]
    fn of_two_ids_the_last_one_counts() {
        let known = r#"{"id":"x","id":"y","type":1,"route":"id"}"#;
        for text in [known.replace('y', "longer"), known.replace('x', "longer")] {
            agrees(known);
            agrees(&text);
        }
    }

    #[test]
    fn what_is_long_is_read_each_time() {
        agrees(r#"{"id":"1","type":1}"#);
        agrees(&format!(r#"{{"id":"1","type":2,"route":"{}"}}"#, "x".repeat(LONGEST)));
        LAST.with_borrow(|last| assert!(last.text.capacity() <= LONGEST));
    }

    proptest! {
        #[test]
        fn it_is_as_if_nothing_were_known(
            first in r#"[ab",:{}\\ä ]{0,8}"#,
            second in r#"[ab",:{}\\ä ]{0,8}"#,
            order in 0..3,
        ) {
            let text = |id: &str| match order {
                0 => format!(r#"{{"id":"{id}","type":1,"route":"add"}}"#),
                1 => format!(r#"{{"type":2,"id":"{id}","route":"\u0061dd"}}"#),
                _ => format!(r#"{{"route":"id","timeout_ms":7,"type":-3,"id":"{id}"}}"#),
            };
            for id in [&first, &second, &first] {
                agrees(&text(id));
            }
        }
    }
}
