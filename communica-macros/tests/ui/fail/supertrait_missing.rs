#[communica::service]
trait Desk: std::fmt::Debug {
    async fn add(&self, a: i64) -> i64;
}

struct Host;

impl Desk for Host {
    async fn add(&self, a: i64) -> i64 {
        a
    }
}

fn main() {}
