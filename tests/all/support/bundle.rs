//! `ocinit bundle` as a command.

use std::path::Path;
use std::process::{Command, Output};

pub fn ocinit(words: &[&str], image: &Path, bundle: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ocinit"));
    command.arg("bundle").args(words).arg(image).arg(bundle).output().expect("ocinit starts")
}

/// Makes a bundle. Returns its messages.
#[track_caller]
pub fn bundle(words: &[&str], image: &Path, bundle: &Path) -> String {
    let output = ocinit(words, image, bundle);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success() && output.stdout.is_empty(), "{}\n{said}", output.status);
    said
}
