/// `AnyError` is at the end of the way: it is made of errors, and is none.
fn fails() -> Result<(), Box<dyn std::error::Error>> {
    Err(communica::AnyError::from("any"))?
}

fn main() {
    let _ = fails;
}
