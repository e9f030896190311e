#[derive(Debug)]
pub struct Point;

#[derive(Debug, communica::ServiceError)]
pub enum Problem {
    At { count: u8, point: Point },
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("problem")
    }
}

fn main() {}
