//! The runtime-spec, case by case: see `case.rs`. A file for each section of its text.

mod case;
mod process;
#[path = "../support/mod.rs"]
mod support;

#[test]
fn process() {
    case::check(process::cases());
}
