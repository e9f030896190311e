#[communica::service]
trait Desk {
    async fn add(&self, a: i64) -> i64
    async fn log(&self, line: &str);
}

fn main() {}
