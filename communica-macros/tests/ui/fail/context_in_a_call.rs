use communica::Context;

#[communica::service]
pub trait Desk {
    async fn add(&self, cx: &Context, a: u8) -> u8;
}

async fn uses(desk: DeskClient, cx: &Context) {
    let _ = desk.add(cx, 1).await;
}

fn main() {
    let _ = uses;
}
