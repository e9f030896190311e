#[communica::service]
trait Desk {
    async fn into_routes(&self);
    async fn new(&self);
    async fn timeout(&self);
    async fn log(&self);
    async fn throw_log(&self);
    async fn throw_nothing(&self);
}

fn main() {}
