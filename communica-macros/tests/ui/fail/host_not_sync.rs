use std::cell::Cell;

#[communica::service]
trait Desk {
    fn count(&self) -> u32;
}

struct Host(Cell<u32>);

impl Desk for Host {
    fn count(&self) -> u32 {
        self.0.get()
    }
}

fn uses() -> communica::RouteTable {
    Host(Cell::new(0)).into_routes()
}

fn main() {
    let _ = uses;
}
