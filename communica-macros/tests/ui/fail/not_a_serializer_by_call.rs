#[derive(Clone, Default)]
pub struct Text(u8);

#[communica::service]
pub trait Desk {
    #[route(serializer = Text::default())]
    async fn add(&self, name: &str, a: u8) -> u16;
    #[route(serializer = Text(3))]
    fn rest(&self) -> Result<u16, communica::AnyError>;
}

fn main() {}
