use std::future::Future;
use std::pin::Pin;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[communica::service]
trait Desk {
    fn add(&self, a: i64) -> impl Future<Output = i64> + Send;
    fn boxed(&self) -> BoxFuture<'_, u8>;
    fn pinned(&self) -> Pin<Box<dyn Future<Output = u8> + Send>>;
    async fn twice(&self) -> impl Future<Output = u8>;
}

fn main() {}
