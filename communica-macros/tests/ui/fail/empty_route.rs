#[communica::service]
trait Desk {
    #[route(name = "", alias = "")]
    async fn add(&self, a: u8);
}

fn main() {}
