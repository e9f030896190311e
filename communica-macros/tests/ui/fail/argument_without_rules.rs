use communica::{JsonSerializer, ValidatedSerializer};

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Record {
    name: String,
}

#[communica::service(serializer = ValidatedSerializer::new(JsonSerializer))]
pub trait Desk {
    async fn put(&self, record: Record);
}

fn main() {}
