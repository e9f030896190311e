#[communica::service]
pub trait Desk {
    async fn add(&self, a: i64, b: i64) -> i64;
}

async fn uses(desk: DeskClient) {
    let _ = desk.add(1).await;
    let _ = desk.add("1", 2).await;
    let _ = desk.subtract(1, 2).await;
}

fn main() {
    let _ = uses;
}
