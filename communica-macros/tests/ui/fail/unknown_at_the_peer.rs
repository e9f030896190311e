use std::fmt::Debug;

#[communica::service]
trait Desk {
    async fn argument(&self, a: Self, b: &Self, c: Vec<Self>)
    where
        Self: Sized;
    async fn object(&self, a: &dyn Debug, b: Box<dyn Debug>);
    async fn result(&self) -> Option<Box<dyn Debug>>;
    async fn hidden(&self) -> impl Debug;
    async fn this(&self) -> Option<Self>
    where
        Self: Sized;
}

fn main() {}
