use communica::RouteTable;

fn length(text: String) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    Ok(text.parse()?)
}

fn main() {
    let _ = RouteTable::new().route("length", length);
}
