#[communica::service]
trait Desk {
    async fn put<T>(&self, value: T);
    async fn fill<const N: usize>(&self, values: [u8; N]);
    async fn show(&self, value: impl ToString);
    async fn compare(&self, value: u8)
    where
        u8: PartialEq<u8>;
}

impl Desk for () {
    async fn put<T>(&self, _: T) {}
    async fn fill<const N: usize>(&self, _: [u8; N]) {}
    async fn show(&self, _: impl ToString) {}
    async fn compare(&self, _: u8) {}
}

async fn uses(desk: DeskClient) {
    let _ = desk.put(1).await;
    let _ = desk.show("a").await;
}

fn main() {
    let _ = uses;
}
