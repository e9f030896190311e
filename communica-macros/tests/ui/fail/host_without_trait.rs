#[communica::service]
trait Desk {
    async fn add(&self, a: i64) -> i64;
}

struct Host;

fn uses() -> communica::RouteTable {
    Host.into_routes()
}

fn main() {
    let _ = uses;
}
