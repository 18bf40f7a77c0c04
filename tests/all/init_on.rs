//! `ocinit.init=on`: a small init of ours between PID 1 of the VM and the image's process.

use std::io::Read;
use std::time::Duration;

use crate::support::boot::{finish, send};
use crate::support::images::{Layer, busybox_layout, compiled};
use crate::support::{Boot, Tar, busybox, scratch, slots};

const ZOMBIES: &str = "zombies() { cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z '; }\n";

/// Ten thousand processes whose parent is gone before them, then one look at what is left of them.
#[test]
fn ten_thousand_orphans_are_reaped() {
    let program = Tar::new().file("orphans", 0o755, compiled("orphans"));
    let layout = scratch("init-on-orphans").join("layout");
    busybox().layer(Layer::plain(program)).write(&layout);
    let script = r#"
        echo pid=$$; echo init=$(tr '\0' ' ' </proc/1/cmdline); /orphans 10000
        last=$(sh -c 'echo $$'); echo made=$([ $last -gt 20000 ] && echo enough)
        for second in 1 2 3 4 5; do sleep 1; z=$(zombies); [ $z = 0 ] && break; done; echo zombies=$z; exit 6"#;
    let boot = Boot::new(layout).append("ocinit.init=on").timeout(400);
    let outcome = boot.script(&format!("{ZOMBIES}{script}")).run();
    outcome.expect_status(6).expect_value("zombies", "0").expect_value("made", "enough");
    assert_ne!(outcome.value("pid"), "1", "{outcome}");
}

/// The count above can see a zombie: without an init, a PID 1 that does not wait leaves them.
#[test]
fn without_init_zombies_stay() {
    // Perl-less and C-less: a shell that becomes `sleep` leaves its child to PID 1, which is that
    // `sleep`.
    let script =
        r#"( sh -c 'sleep 1; :' & ) ; ( sleep 3; echo zombies=$(zombies) ) & exec sleep 5"#;
    let outcome = Boot::new(busybox_layout()).script(&format!("{ZOMBIES}{script}")).run();
    assert_ne!(outcome.value("zombies"), "0", "{outcome}");
}

#[test]
fn signals_are_forwarded() {
    let script = "trap 'echo got term; exit 21' TERM; echo ready; while :; do sleep 1; done";
    let mut command = Boot::new(busybox_layout()).append("ocinit.init=on").script(script).command();
    let _slot = slots::take();
    let mut child = command.spawn().expect("boot");
    let mut ready = [0; 6];
    let mut stdout = child.stdout.take().expect("piped");
    stdout.read_exact(&mut ready).expect("ready");
    send(&child, "TERM");
    child.stdout = Some(stdout);
    finish(child, None, Duration::from_secs(120)).expect_status(21).expect_stdout("got term\n");
}

/// When the image's process ends, its leftover processes end at once.
#[test]
fn what_is_left_behind_ends_too() {
    let boot = Boot::new(busybox_layout()).append("ocinit.init=on");
    let outcome = boot.script("sleep 1000 & sleep 1000 & echo over; exit 5").run();
    outcome.expect_status(5).expect_stdout("over\n");
    assert!(outcome.took < Duration::from_secs(100), "{outcome}");
}
