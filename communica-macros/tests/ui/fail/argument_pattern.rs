#[communica::service]
trait Desk {
    async fn pair(&self, (a, b): (u8, u8));
    async fn nameless(&self, _: u8);
    async fn changed(&self, mut a: u8);
    async fn with_body(&self, [a, b]: [u8; 2]) -> u8 {
        a + b
    }
    async fn twice(&self, a: u8, a: u8);
}

fn main() {}
