use communica::{Bytes, BytesSerializer};

#[communica::service(serializer = BytesSerializer)]
pub trait Store {
    async fn put(&self, name: &str, data: Bytes) -> Bytes;
}

fn main() {}
