#[communica::service]
pub trait Desk {
    async fn add(&self, a: i64, b: i64) -> i64;
    async fn log(&self, line: &str);
}

struct Host;

impl Desk for Host {
    async fn add(&self, a: i32, b: i64) -> i64 {
        b + i64::from(a)
    }
}

fn main() {}
