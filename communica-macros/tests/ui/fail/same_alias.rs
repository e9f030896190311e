#[communica::service(prefix = "desk.")]
trait Desk {
    #[route(alias = "desk.log")]
    async fn add(&self, a: u8);
    #[route(name = "sum", alias = "plus")]
    async fn log(&self, a: u8);
    #[route(alias = "plus", alias = "desk.own")]
    async fn own(&self);
    #[route(name = "sum")]
    async fn total(&self);
    #[route(alias = "desk.sum")]
    async fn put(&self);
}

fn main() {}
