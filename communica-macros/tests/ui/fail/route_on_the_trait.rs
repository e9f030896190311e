#[communica::service]
#[route(name = "desk")]
trait Desk {
    async fn add(&self, a: u8) -> u8;
}

fn main() {}
