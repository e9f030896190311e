#[communica::service]
trait Desk {
    #[route]
    async fn bare(&self);
    #[route = "sum"]
    async fn value(&self);
    #[route(name = "a")]
    #[route(idempotent)]
    async fn twice(&self);
}

fn main() {}
