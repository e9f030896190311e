use std::borrow::Cow;

#[communica::service]
trait Desk {
    async fn name(&self) -> &str;
    async fn first<'a>(&self, names: &'a [String]) -> Option<&'a String>;
    async fn cow(&self) -> Cow<'_, str>;
    async fn named<'a>(&'a self) -> Result<Cow<'a, str>, Problem>;
    fn plain(&self) -> &'static str;
}

#[derive(Debug, communica::ServiceError)]
pub struct Problem;

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("problem")
    }
}

fn main() {}
