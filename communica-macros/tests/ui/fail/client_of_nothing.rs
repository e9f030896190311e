#[communica::service]
trait Desk {
    async fn add(&self, a: i64) -> i64;
}

fn uses() {
    let _ = DeskClient::new("desk");
}

fn main() {
    let _ = uses;
}
