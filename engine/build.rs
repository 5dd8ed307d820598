//! Compiles the schema of what is stored, without `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../proto/dunghen/log");
    let descriptors = protox::Compiler::new(["../proto"])?
        .include_imports(true)
        .include_source_info(true)
        .open_file("dunghen/log/v1/record.proto")?
        .file_descriptor_set();
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
