//! A handler's `Result` is an answer or an error, and never sent as `{"Err": …}` because its error is text.

use communica::{MemoryConnector, RouteTable, SimpleServer};

fn length(text: String) -> Result<usize, String> {
    if text.is_empty() { Err("nothing to count".to_owned()) } else { Ok(text.len()) }
}

async fn half(number: u8) -> Result<u8, &'static str> {
    if number % 2 == 0 { Ok(number / 2) } else { Err("odd numbers have no half") }
}

fn main() {
    let _ = RouteTable::new().route("length", length).route("half", half);
    let _ = SimpleServer::new(MemoryConnector::new("length"), length);
}
