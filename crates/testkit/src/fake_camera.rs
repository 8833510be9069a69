//! Cameras without hardware: a test runs in a process of its own, before whose C library stands `carillon-fakecam`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::Problem;
use crate::own_process::{passed, rerun, test_of};

/// Names the folder of a test's cameras, to the library and to the process that the test runs in.
const FOLDER: &str = "FAKECAM_DIR";

/// The library that is put before the C library.
const LIBRARY: &str = "libcarillon_fakecam.so";

/// The cameras of a test. `name` is that of a node, as in `video0`.
#[derive(Debug)]
pub struct FakeCameras {
    folder: PathBuf,
}

impl FakeCameras {
    /// Plugs a camera in, or changes one: `settings` are lines as `carillon-fakecam` reads them.
    ///
    /// # Panics
    /// When no file can be written.
    #[expect(clippy::expect_used, reason = "a part of a test")]
    pub fn plug(&self, name: &str, settings: &str) {
        let (file, new) = (self.folder.join(name), self.folder.join(format!(".{name}")));
        // At once, so that nobody reads half of it.
        fs::write(&new, settings).and_then(|()| fs::rename(new, file)).expect("a file for the camera");
    }

    /// Pulls a camera out.
    ///
    /// # Panics
    /// When there is none.
    #[expect(clippy::expect_used, reason = "a part of a test")]
    pub fn pull(&self, name: &str) {
        fs::remove_file(self.folder.join(name)).expect("a camera of that name");
    }
}

/// The variables that put cameras into a program: the folder that says which, and the library.
///
/// # Errors
/// The library is not where cargo puts it.
pub fn environment(folder: &Path) -> Result<Vec<(&'static str, OsString)>, Problem> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let places =
        program.ancestors().skip(1).take(2).flat_map(|at| [at.join("deps").join(LIBRARY), at.join(LIBRARY)]);
    let library = places.into_iter().find(|file| file.is_file());
    let library =
        library.ok_or(format!("{LIBRARY} is not built: let the test depend on carillon-fakecam"))?;
    Ok(vec![("LD_PRELOAD", library.into()), (FOLDER, folder.into())])
}

/// Runs a test's body in a process of its own in which `/dev/videoN` are what the test plugs in. `body` must be a
/// closure written in the test itself: its type tells the name of the test to run.
///
/// # Panics
/// When the body does, or the library is not there. What it printed is shown.
pub fn with_fake_cameras<F: FnOnce(&FakeCameras)>(body: F) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return body(&FakeCameras { folder: folder.into() });
    }
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Relaxed);
    let folder = std::env::temp_dir().join(format!("carillon-cameras-{}-{count}", std::process::id()));
    let name = test_of(std::any::type_name::<F>());
    let outcome = fs::create_dir_all(&folder)
        .map_err(|error| error.to_string())
        .and_then(|()| environment(&folder))
        .and_then(|variables| rerun(&name, variables));
    let _ = fs::remove_dir_all(&folder);
    passed(&name, outcome);
}
