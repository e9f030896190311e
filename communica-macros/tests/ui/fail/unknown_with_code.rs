#[derive(Debug, thiserror::Error, communica::ServiceError)]
pub enum Problem {
    #[error("other")]
    #[service_error(unknown, code = 500)]
    Other,
    #[error("more")]
    #[service_error(responder, unknown)]
    More(#[from] std::io::Error),
}

fn main() {}
