//! The output of `make run`.

use std::process::Command;

use crate::support::{Boot, project, tool};

#[test]
fn the_demonstration_tells_its_kernel_its_files_and_its_times() {
    let image = String::from_utf8(tool(&mut Command::new(project().join("qemu/demo-image"))))
        .expect("a path");
    let outcome = Boot::new(image.trim_end()).flag("--timings").run();
    outcome.expect_status(0);
    let text = outcome.text();
    let says = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.unwrap_or_else(|| panic!("no {name}\n{outcome}")).trim().to_string()
    };
    assert!(says("kernel").starts_with("Linux "), "{outcome}");
    assert_eq!(says("PID"), "1");
    assert!(!says("hostname").is_empty(), "{outcome}");
    assert_eq!(says("/demo/first"), "from the first layer");
    assert_eq!(says("/demo/second"), "from the second layer");
    assert_eq!(says("/demo/removed"), "not there");
    for phase in ["kernel", "disk", "image", "unpack", "config", "start"] {
        let line =
            outcome.stderr.lines().find(|line| line.starts_with(phase) && line.ends_with(" ms"));
        let milliseconds =
            line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        let milliseconds = milliseconds.unwrap_or_else(|| panic!("no time of {phase}\n{outcome}"));
        assert!(
            (0.0..60_000.0).contains(&milliseconds),
            "{phase} took {milliseconds} ms\n{outcome}"
        );
    }
}
