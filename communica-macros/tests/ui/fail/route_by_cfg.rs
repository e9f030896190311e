#[communica::service]
trait Desk {
    #[cfg_attr(unix, route(name = "sum"))]
    async fn add(&self, a: u8) -> u8;
}

fn main() {}
