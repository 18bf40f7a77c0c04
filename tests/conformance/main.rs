//! The runtime-spec, case by case: see `case.rs`. A file for each section of its text.

mod case;
mod config;
mod differences;
mod mounts;
mod process;
#[path = "../support/mod.rs"]
mod support;

#[test]
fn process() {
    case::check(process::cases());
}

#[test]
fn config() {
    case::check(config::cases());
}

#[test]
fn mounts() {
    case::check(mounts::cases());
}
