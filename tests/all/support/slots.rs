//! The number of VMs at once, over all test processes of this build: one locked file each.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// Held while a VM runs.
pub struct Slot {
    _lock: File,
}

/// As many VMs as there are processors, at most 4; `OCINIT_TEST_SLOTS` says otherwise.
fn count() -> usize {
    let told = std::env::var("OCINIT_TEST_SLOTS").ok().and_then(|text| text.parse().ok());
    told.unwrap_or_else(|| {
        std::thread::available_parallelism().map_or(2, |cores| cores.get().min(4))
    })
}

/// Waits for a free slot.
pub fn take() -> Slot {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("slots");
    std::fs::create_dir_all(&directory).expect("slots directory");
    loop {
        for number in 0..count() {
            let file = File::create(directory.join(number.to_string())).expect("slot file");
            if file.try_lock().is_ok() {
                return Slot { _lock: file };
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
