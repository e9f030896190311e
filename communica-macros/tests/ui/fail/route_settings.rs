#[communica::service]
trait Desk {
    #[route(path = "sum")]
    async fn unknown(&self);
    #[route(name)]
    async fn no_value(&self);
    #[route(name = sum)]
    async fn no_string(&self);
    #[route(alias = 5, alias = "five")]
    async fn number(&self);
    #[route(named, named)]
    async fn twice(&self, a: u8);
    #[route(idempotent = true)]
    async fn with_value(&self);
    #[route(named idempotent)]
    async fn no_comma(&self, a: u8);
    #[route("sum")]
    async fn text(&self);
}

fn main() {}
