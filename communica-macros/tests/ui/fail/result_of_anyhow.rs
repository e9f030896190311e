#[communica::service]
pub trait Desk {
    async fn find(&self) -> anyhow::Result<u8>;
    async fn found(&self) -> Result<u8, anyhow::Error>;
}

fn main() {}
