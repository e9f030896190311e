#[communica::service]
trait Desk {
    async fn add(&self, a: i64) -> i64;
}

#[communica::service]
trait Log {
    async fn log(&self, line: &str);
}

struct Host;

impl Desk for Host {
    async fn add(&self, a: i64) -> i64 {
        a
    }
}

impl Log for Host {
    async fn log(&self, _: &str) {}
}

fn uses() {
    let _ = Host.into_routes();
}

fn main() {
    let _ = uses;
}
