pub struct Text;

#[communica::service(serializer = Text)]
pub trait Desk {
    async fn add(&self, a: u8) -> u16;
}

fn main() {}
