pub struct Point {
    pub x: i32,
}

#[communica::service]
pub trait Desk {
    async fn point(&self) -> Vec<Point>;
}

fn main() {}
