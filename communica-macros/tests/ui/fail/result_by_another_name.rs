#[derive(Debug, serde::Serialize, serde::Deserialize, communica::ServiceError)]
pub enum JobError {
    #[service_error(code = 1)]
    Bad,
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bad")
    }
}

type JobResult<T> = Result<T, JobError>;

/// No alias, and no mistake.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct SearchResult {
    found: u32,
}

#[communica::service]
trait Jobs {
    async fn run(&self, job: u32) -> JobResult<u32>;
    async fn search(&self) -> SearchResult;
}

fn main() {}
