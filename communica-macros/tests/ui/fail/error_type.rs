#[derive(communica::ServiceError)]
pub union Either {
    a: u8,
    b: u16,
}

#[derive(Debug, communica::ServiceError)]
pub struct Borrowed<'a> {
    name: &'a str,
}

#[derive(Debug, communica::ServiceError)]
pub enum Problem {
    Name(&'static str),
    Source { source: Box<dyn std::error::Error + Send> },
    #[rustfmt::skip]
    Long(u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8),
}

fn main() {}
