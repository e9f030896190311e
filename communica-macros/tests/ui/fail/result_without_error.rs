#[communica::service]
pub trait Desk {
    async fn find(&self) -> std::io::Result<u8>;
}

fn main() {}
