//! Files made once for all tests of a build: kept under `target/tmp/cache`, made again only if
//! their recipe changed.

use std::fs::File;
use std::path::{Path, PathBuf};

/// The entry of this name, made by `make` into the path it is given if no process has made it
/// before. Change the name (`busybox-2`) when the recipe changes.
pub fn get(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    std::fs::create_dir_all(&cache).expect("cache directory");
    let (done, lock) = (cache.join(name), cache.join(format!("{name}.lock")));
    let lock = File::create(&lock).expect("cache lock");
    lock.lock().expect("cache lock");
    if !done.exists() {
        let part = cache.join(format!("{name}.part"));
        let _ = std::fs::remove_dir_all(&part);
        let _ = std::fs::remove_file(&part);
        make(&part);
        std::fs::rename(&part, &done).expect("cache entry");
    }
    done
}
