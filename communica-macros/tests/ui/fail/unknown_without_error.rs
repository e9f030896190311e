#[derive(Debug, communica::ServiceError)]
pub enum Problem {
    #[service_error(unknown)]
    Other(std::io::Error),
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("problem")
    }
}

fn main() {}
