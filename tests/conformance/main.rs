//! The runtime-spec, case by case: see `case.rs`. A file for each section of its text.

mod case;
mod config;
mod differences;
mod linux_devices;
mod linux_namespaces;
mod linux_others;
mod linux_seccomp;
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

#[test]
fn linux_namespaces() {
    case::check(linux_namespaces::cases());
}

#[test]
fn linux_devices() {
    case::check(linux_devices::cases());
}

#[test]
fn linux_seccomp() {
    case::check(linux_seccomp::cases());
}

#[test]
fn linux_others() {
    case::check(linux_others::cases());
}
