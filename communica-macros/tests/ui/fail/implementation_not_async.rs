#[communica::service]
pub trait Desk {
    async fn add(&self, a: i64) -> i64;
    fn quick(&self) -> i64;
}

impl Desk for () {
    fn add(&self, a: i64) -> i64 {
        a
    }
    async fn quick(&self) -> i64 {
        1
    }
}

fn main() {}
