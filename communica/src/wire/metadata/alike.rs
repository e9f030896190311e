//! Metadata that differs from the last in its id and its route alone, as that of most calls does, and of their answers: what stands where is
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
        if let Some(known) = self.parts {
            let alike = || of_alike(text, &self.text, known);
            if let Some(parts) = alike().or_else(|| of_alike_but_for_route(text, &self.text, known)) {
                return Ok(parts);
            }
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
    if !id.iter().all(|&byte| is_plain(byte)) {
        return None;
    }
    let id = place_of(id, parts.id.start)?;
    let moved = |at| moved(at, parts.id, id);
    Some(Parts {
        id,
        kind_at: (moved(parts.kind_at.0), moved(parts.kind_at.1)),
        route: parts.route.map(|route| Text { start: moved(route.start), end: moved(route.end), ..route }),
        ..parts
    })
}

/// The same if another route stands behind its id.
fn of_alike_but_for_route(text: &[u8], known: &[u8], parts: Parts) -> Option<Parts> {
    let old = parts.route.filter(|route| !route.escaped && parts.id.end < route.start)?;
    let rest = text.strip_prefix(&known[..parts.id.start as usize])?;
    let (id, rest) = rest.split_at(rest.iter().position(|&byte| !is_plain(byte))?);
    let rest = rest.strip_prefix(&known[parts.id.end as usize..old.start as usize])?;
    let route = rest.strip_suffix(&known[old.end as usize..])?;
    if !route.iter().all(|&byte| is_plain(byte)) {
        return None;
    }
    let id = place_of(id, parts.id.start)?;
    let route = place_of(route, moved(old.start, parts.id, id))?;
    // What stands behind the route moved with it.
    let moved = |at| if at < old.end { moved(at, parts.id, id) } else { moved(at, old, route) };
    Some(Parts { id, route: Some(route), kind_at: (moved(parts.kind_at.0), moved(parts.kind_at.1)), ..parts })
}

/// Ends no string, and stands for itself in one.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Where this text stands, which begins at `start`.
fn place_of(text: &[u8], start: u32) -> Option<Text> {
    Some(Text { start, end: start + u32::try_from(text.len()).ok()?, escaped: false })
}

/// Where what stood at `at` stands after `new` took the place of `old`.
fn moved(at: u32, old: Text, new: Text) -> u32 {
    if at < old.end { at } else { at - old.end + new.end }
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

    fn is_alike_but_for_route(text: &str, known: &str) -> bool {
        let parts = Parts::read(known.as_bytes()).unwrap();
        of_alike_but_for_route(text.as_bytes(), known.as_bytes(), parts).is_some()
    }

    #[test]
    fn what_differs_in_its_route_too_is_alike() {
        for known in [
            r#"{"id":"a-1","type":1,"route":"add"}"#,
            r#"{"id":"a-1","route":"add","type":11,"timeout_ms":5}"#,
            r#" { "id" : "a-1" , "type" : 2 , "x":"add", "route" : "add" , "more":[] } "#,
        ] {
            for (id, route) in
                [("", ""), ("a-2", "add"), ("a-10000", "sub.tract"), (" ", "!#[]^~"), ("a-1", "a")]
            {
                let (head, tail) = known.rsplit_once("add").unwrap();
                let text = format!("{}{route}{tail}", head.replace("a-1", id));
                assert!(is_alike_but_for_route(&text, known), "{text}");
                agrees(known);
                agrees(&text);
            }
        }
        let known = r#"{"id":"a-1","type":1,"route":"add"}"#;
        for text in [
            r#"{"id":"a-1","type":1,"route":"a\u0064d"}"#,
            r#"{"id":"a-1","type":1,"route":"ädd"}"#,
            r#"{"id":"a-1","type":1,"route":"a","route":"b"}"#,
            r#"{"id":"a","id":"b","type":1,"route":"add"}"#,
            r#"{"id":"a-1","type":2,"route":"add"}"#,
            r#"{"id":"a-1","type":1}"#,
            r#"{"id":"a-1"#,
        ] {
            assert!(!is_alike_but_for_route(text, known), "{text}");
            agrees(known);
            agrees(text);
        }
        assert!(!is_alike_but_for_route(known, r#"{"route":"add","id":"a-1","type":1}"#), "in another order");
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
            routes in [r#"[ab",:{}\\ä ]{0,4}"#, "[ab]{0,2}"],
            order in 0..4,
        ) {
            let text = |id: &str, route: &str| match order {
                0 => format!(r#"{{"id":"{id}","type":1,"route":"{route}"}}"#),
                1 => format!(r#"{{"type":2,"id":"{id}","route":"\u0061dd"}}"#),
                2 => format!(r#"{{"id":"{id}","route":"{route}","type":11,"timeout_ms":7}}"#),
                _ => format!(r#"{{"route":"{route}","timeout_ms":7,"type":-3,"id":"{id}"}}"#),
            };
            for id in [&first, &second, &first] {
                for route in &routes {
                    agrees(&text(id, route));
                }
            }
        }
    }
}
