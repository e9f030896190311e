use communica::Context;

#[communica::service]
pub trait Desk {
    async fn add(&self, cx: &Context, a: u8) -> u8;
}

impl Desk for () {
    async fn add(&self, a: u8) -> u8 {
        a
    }
}

fn main() {}
