pub struct Tenant;

#[communica::service]
pub trait Desk {
    async fn add(&self, a: i64) -> i64;
}

async fn uses(desk: DeskClient) {
    let _ = desk.metadata("tenant", Tenant).add(1).await;
}

fn main() {
    let _ = uses;
}
