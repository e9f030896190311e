#[derive(Debug)]
pub struct Broken;

#[communica::service]
pub trait Desk {
    async fn point(&self) -> Result<u8, Broken>;
}

fn main() {}
