#[communica::service]
pub trait Desk {
    async fn add(&self, a: i64) -> i64;
}

impl Desk for () {
    async fn add(a: i64) -> i64 {
        a
    }
}

fn main() {}
