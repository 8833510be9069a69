//! Links libvpx, where pictures may be written down as VP8.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=native/vp8.c");
    #[cfg(feature = "vp8")]
    vp8()?;
    Ok(())
}

#[cfg(feature = "vp8")]
fn vp8() -> Result<(), Box<dyn Error>> {
    // With all that is asked of it since 2019.
    let library =
        pkg_config::Config::new().atleast_version("1.8").cargo_metadata(false).probe("vpx").map_err(
            |error| format!("the feature `vp8` needs libvpx and its headers (Debian: libvpx-dev): {error}"),
        )?;
    cc::Build::new()
        .file("native/vp8.c")
        .includes(&library.include_paths)
        .warnings(true)
        .try_compile("carillon_vp8")?;
    // After what was compiled: a linker looks for names from left to right.
    for path in &library.link_paths {
        println!("cargo::rustc-link-search=native={}", path.display());
    }
    for name in &library.libs {
        println!("cargo::rustc-link-lib={name}");
    }
    Ok(())
}
