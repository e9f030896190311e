use std::marker::PhantomData;

/// Loads and dumps, but stays on its thread.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Local(PhantomData<*const u8>);

#[communica::service]
pub trait Desk {
    async fn shared(&self, text: Local);
}

fn main() {}
