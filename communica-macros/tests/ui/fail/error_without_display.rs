#[derive(Debug, communica::ServiceError)]
pub enum Problem {
    Any,
}

fn main() {}
