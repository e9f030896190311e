#[communica::service]
trait Desk {
    #[route(blocking)]
    async fn wait(&self);
}

fn main() {}
