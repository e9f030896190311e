#[communica::service]
pub trait Desk {
    async fn find(&self, key: Missing) -> Absent;
}

fn main() {}
