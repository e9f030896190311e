macro_rules! methods {
    () => {};
}

#[communica::service]
trait Desk {
    type Key;
    const LIMIT: u8;
    methods!();
    async fn add(&self, a: i64) -> i64;
}

fn main() {}
