#[communica::service]
trait Desk {
    async fn none(a: u8);
    async fn empty();
    async fn value(self);
    async fn exclusive(&mut self, a: u8);
    async fn exclusive_too(self: &mut Self);
    async fn boxed(self: Box<Self>);
    async fn shared(self: &std::sync::Arc<Self>);
    async fn pinned(self: std::pin::Pin<&mut Self>, a: u8);
    async fn typed(self: &Self);
}

fn main() {}
