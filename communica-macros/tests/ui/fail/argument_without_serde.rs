pub struct Point {
    pub x: i32,
}

#[communica::service]
pub trait Desk {
    async fn one(&self, point: Point);
}

#[communica::service]
pub trait Lender {
    async fn several(&self, count: u8, points: &[Point]);
}

fn main() {}
