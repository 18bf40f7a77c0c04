//! The runtime-spec, case by case: see `case.rs`. A file for each section of its text.

mod case;
mod cli;
mod config;
mod differences;
mod exec;
mod hooks;
mod linux_devices;
mod linux_namespaces;
mod linux_others;
mod linux_seccomp;
mod mounts;
mod process;
mod runtime;
mod runtime_errors;
mod table;

#[test]
fn config() {
    case::check(config::cases());
}

#[test]
fn process() {
    case::check(process::cases());
}

#[test]
fn mounts() {
    case::check(mounts::cases());
}

#[test]
fn hooks() {
    case::check(hooks::cases());
}

#[test]
fn namespaces() {
    case::check(linux_namespaces::cases());
}

#[test]
fn devices() {
    case::check(linux_devices::cases());
}

#[test]
fn seccomp() {
    case::check(linux_seccomp::cases());
}

#[test]
fn others() {
    case::check(linux_others::cases());
}

#[test]
fn lifecycle() {
    case::check(runtime::cases());
}

#[test]
fn exec() {
    case::check(exec::cases());
}

#[test]
fn command_line() {
    case::check(cli::cases());
}

#[test]
fn the_page_in_docs_is_of_these_cases() {
    let sections = [
        ("Configuration", config::cases()),
        ("Process", process::cases()),
        ("Mounts", mounts::cases()),
        ("Hooks", hooks::cases()),
        ("Linux: namespaces", linux_namespaces::cases()),
        ("Linux: devices and the terminal", linux_devices::cases()),
        ("Linux: seccomp", linux_seccomp::cases()),
        ("Linux: sysctl, paths, cgroups and the rest", linux_others::cases()),
        ("Runtime and lifecycle", runtime::cases()),
        ("exec, ps and list", exec::cases()),
        ("Command line, log and features", cli::cases()),
    ];
    table::check(&sections);
    // A name is one case's, and a difference is a case's.
    let mut names: Vec<_> =
        sections.iter().flat_map(|(_, cases)| cases).map(|case| case.name).collect();
    let count = names.len();
    let lost: Vec<_> = differences::DIFFERENCES
        .iter()
        .map(|row| row.0)
        .filter(|name| !names.contains(name))
        .collect();
    assert!(lost.is_empty(), "differences of no case: {lost:?}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "two cases of one name");
}
