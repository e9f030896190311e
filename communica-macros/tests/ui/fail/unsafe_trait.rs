#[communica::service]
unsafe trait Desk {
    async fn add(&self, a: i64) -> i64;
}

unsafe impl Desk for () {
    async fn add(&self, a: i64) -> i64 {
        a
    }
}

fn main() {}
