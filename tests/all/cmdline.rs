//! The kernel's command line: an error for everything that is not exactly right, and the kernel's
//! quoting.

use crate::support::Boot;
use crate::support::images::busybox_layout;

#[track_caller]
fn refused(append: &str, parts: &[&str]) {
    let outcome = Boot::new(busybox_layout()).append(append).arguments(["echo", "EXECUTED"]).run();
    outcome.expect_status(125).expect_stdout("");
    let mut all = vec!["ocinit: "];
    all.extend(parts);
    outcome.expect_line(&all);
}

#[test]
fn an_unknown_key() {
    refused("ocinit.dsik=auto", &["ocinit.dsik", "unknown"]);
}

#[test]
fn a_key_without_a_value() {
    refused("ocinit.hostname", &["ocinit.hostname"]);
}

#[test]
fn a_value_that_is_none_of_the_known() {
    refused("ocinit.net=bridge", &["ocinit.net", "bridge"]);
}

#[test]
fn a_value_that_is_no_number() {
    refused("ocinit.memory=64Q", &["ocinit.memory", "64Q"]);
}

#[test]
fn a_number_beyond_all_bounds() {
    refused("ocinit.memory=99999999999999999999", &["ocinit.memory", "99999999999999999999"]);
}

#[test]
fn a_key_given_twice() {
    refused("ocinit.wait=5 ocinit.wait=5", &["ocinit.wait", "twice"]);
}

#[test]
fn a_path_on_an_archive_that_has_none() {
    refused("ocinit.path=/images", &["ocinit.path=/images", "without a file system"]);
}

/// `boot` names the reference in the configuration file.
#[test]
fn a_key_given_on_the_line_and_in_the_file() {
    let mut image = busybox_layout().into_os_string();
    image.push(":latest");
    let outcome =
        Boot::new(image).append("ocinit.ref=latest").arguments(["echo", "EXECUTED"]).run();
    outcome.expect_status(125).expect_stdout("").expect_line(&["ocinit: ", "ocinit.ref", "twice"]);
}

#[test]
fn a_line_that_is_too_long_is_refused_before_it_boots() {
    let outcome = Boot::new(busybox_layout()).append(&"x".repeat(2040)).run();
    outcome.expect_status(125).expect_stdout("").expect_line(&["boot: ", "command line", "2047"]);
}

/// 2,047 bytes are what the kernel keeps at most: the line may have been longer.
#[test]
fn a_line_of_the_kernels_full_length() {
    // What `boot` puts before: told by its own refusal of a longer one.
    let outcome = Boot::new(busybox_layout()).append(&"x".repeat(3000)).run();
    let line = outcome.line(&["boot: ", "command line"]).expect("a refusal").to_string();
    let length: usize =
        line.split_whitespace().find_map(|word| word.parse().ok()).expect("a length");
    refused(&"x".repeat(2047 - (length - 3000)), &["command line", "2047"]);
}

/// Quotes keep blanks together and are taken away, wherever they stand, as the kernel does it.
#[test]
fn quotes_as_the_kernel_takes_them() {
    let append = r#"ocinit.env="A=one two" "ocinit.env=B=three  four" ocinit.hostname="quoted""#;
    let outcome =
        Boot::new(busybox_layout()).append(append).script("echo \"$A|$B|$(hostname)\"").run();
    outcome.expect_status(0).expect_stdout("one two|three  four|quoted\n");
}

/// The newline at the end of /proc/cmdline does not belong to the last word.
#[test]
fn an_open_quote_ends_with_the_line() {
    let outcome =
        Boot::new(busybox_layout()).append("ocinit.env=\"A=open end").script("echo \"[$A]\"").run();
    outcome.expect_status(0).expect_stdout("[open end]\n");
}

/// Words behind ` -- ` are the container's arguments, in place of the image's Cmd.
#[test]
fn arguments_behind_two_dashes() {
    let append = r#"ocinit.hostname=h -- echo one "two three" ocinit.x=4 --"#;
    let outcome = Boot::new(busybox_layout()).append(append).run();
    outcome.expect_status(0).expect_stdout("one two three ocinit.x=4 --\n");
}

/// Arguments in two places contradict each other.
#[test]
fn arguments_on_the_line_and_in_the_file() {
    refused("quiet -- echo EXECUTED", &["arg", "--"]);
}

/// What is for the kernel or for others is left alone.
#[test]
fn words_of_others_are_left_alone() {
    let append =
        "root=/dev/vda ocinitx=1 notocinit.x=1 module.ocinit.key=1 foo=\"ocinit.bogus=1 b\"";
    let outcome = Boot::new(busybox_layout()).append(append).arguments(["echo", "fine"]).run();
    outcome.expect_status(0).expect_stdout("fine\n");
}
