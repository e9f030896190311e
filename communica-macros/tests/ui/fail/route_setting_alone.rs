#[communica::service]
trait Desk {
    #[idempotent]
    async fn add(&self, a: u8) -> u8;
    #[alias = "plus"]
    async fn sum(&self, a: u8) -> u8;
    #[blocking]
    fn wait(&self);
}

fn main() {}
