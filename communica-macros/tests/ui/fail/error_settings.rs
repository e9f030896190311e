#[derive(Debug, communica::ServiceError)]
#[service_error(code = 1, status = 2)]
pub enum Problem {
    #[service_error(status = 400)]
    Unknown,
    #[service_error(code)]
    NoValue,
    #[service_error(code = "400")]
    Text,
    #[service_error(code = 99999999999999999999)]
    TooLarge,
    #[service_error(code = 1, code = 2, responder = true)]
    Twice,
    #[service_error]
    Empty,
    #[service_error(crate = ::communica)]
    Placed,
    Field {
        #[service_error(code = 1)]
        field: u8,
    },
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("problem")
    }
}

#[communica::service]
trait Desk {
    async fn fails(&self) -> Result<u8, Problem>;
}

fn main() {}
