#[communica::service]
trait Desk {
    async fn add(&self, a: u8, #[cfg(any())] b: u8, #[cfg_attr(any(), allow(unused))] c: u8);
}

fn main() {}
