#[communica::service]
trait Desk {
    async fn exclusive(&self, a: &mut Vec<u8>);
    async fn maybe(&self, a: Option<&mut u8>);
    async fn words(&self, a: &[&str]);
    async fn nested(&self, a: Vec<&str>, b: (&u8, u8));
    async fn forever(&self, a: &'static str);
}

fn main() {}
