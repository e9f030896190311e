#[communica::service]
trait Desk {
    async fn none(a: u8);
    async fn empty();
    async fn value(self);
    async fn exclusive(&mut self, a: u8);
    async fn boxed(self: Box<Self>);
    async fn typed(self: &Self);
}

fn main() {}
