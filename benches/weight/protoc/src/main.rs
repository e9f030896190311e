//! Prints where a protoc is, for those who have none installed: tonic's hello world needs one to be built.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", protoc_bin_vendored::protoc_bin_path()?.display());
    Ok(())
}
