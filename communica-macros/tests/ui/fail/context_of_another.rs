pub struct Context;

#[communica::service]
pub trait Desk {
    async fn add(&self, cx: &Context, a: u8) -> u8;
}

fn main() {}
