//! What tonic is made of: its messages, its client and its server.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut protoc = tonic_prost_build::Config::new();
    protoc.protoc_executable(protoc_bin_vendored::protoc_bin_path()?);
    tonic_prost_build::configure().bytes(".").compile_with_config(
        protoc,
        &["proto/echo.proto"],
        &["proto"],
    )?;
    Ok(())
}
