#[communica::service]
trait Desk {
    async fn add(&self, a: u8);
    async fn r#add(&self, a: u8);
    #[cfg(all())]
    async fn log(&self, a: u8);
    #[cfg(any())]
    async fn log(&self, a: u16);
}

fn main() {}
