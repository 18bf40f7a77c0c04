//! The three machines of QEMU that `boot` supports: disk, ports and power-off are the same on each.

use std::time::Duration;

use crate::support;
use crate::support::boot::{Input, finish};
use crate::support::fake::FakeQemu;
use crate::support::images::busybox_layout;
use crate::support::{Boot, random_bytes, scratch};

#[track_caller]
fn runs_on(machine: &str) {
    let bytes = random_bytes(100_000);
    let boot =
        Boot::new(busybox_layout()).option("--machine", machine).input(Input::Bytes(bytes.clone()));
    let outcome = boot.script("cat; echo to stderr >&2; exit 7").run();
    outcome.expect_status(7).expect_line(&["to stderr"]);
    assert!(
        outcome.stdout == bytes,
        "{} bytes came back of {}\n{outcome}",
        outcome.stdout.len(),
        bytes.len()
    );
}

#[test]
fn pc() {
    runs_on("pc");
}

#[test]
fn q35() {
    runs_on("q35");
}

#[test]
fn microvm() {
    runs_on("microvm");
}

/// A QEMU that lists all three machines, in the real one's words.
const SAYS_ITS_MACHINE: &str = r#"
asked = sys.argv[sys.argv.index("-machine") + 1]
sys.exit(print("microvm   microvm (i386)\nq35   Standard PC") if asked == "help" else f"machine {asked}")"#;

/// The fastest machine is the default. If it is not known to work, the next is taken, with the
/// reason.
#[test]
fn the_default_is_the_fastest_that_works() {
    let directory = scratch("machines-default");
    let machine = FakeQemu::new(&directory, SAYS_ITS_MACHINE);
    let (kernel, modules) = support::console::kernel();
    let without = directory.join("modules");
    std::fs::create_dir_all(without.join("kernel")).expect("modules");
    let disks: Vec<_> = (0..7).map(|number| directory.join(format!("disk{number}"))).collect();
    disks.iter().for_each(|disk| support::disk::blank(disk, 1));
    let run = |change: &dyn Fn(Boot) -> Boot| {
        let boot = change(Boot::new(busybox_layout()).flag("--verbose").option("--accel", "kvm"));
        let child =
            machine.on_path(boot.option("--kernel", &kernel).command()).spawn().expect("boot");
        finish(child, None, Duration::from_secs(60))
    };
    let known = |boot: Boot| boot.option("--modules", &modules);
    run(&|boot| known(boot)).expect_line(&["machine microvm"]);
    run(&|boot| known(boot).option("--machine", "pc")).expect_line(&["machine pc"]);
    run(&|boot| known(boot).option("--accel", "tcg"))
        .expect_line(&["boot: machine q35", "an emulated one"]);
    let full = |boot: Boot, count: usize| {
        disks[..count].iter().fold(known(boot), |boot, disk| boot.option("--disk", disk))
    };
    run(&|boot| full(boot, 6)).expect_line(&["machine microvm"]);
    for (change, reason) in [
        (&(|boot| full(boot, 7)) as &dyn Fn(Boot) -> Boot, "disks"),
        (&|boot| boot, "may have no virtio_mmio"),
        (&|boot: Boot| boot.option("--modules", &without), "has no virtio_mmio"),
        (&|boot: Boot| known(boot).option("--initramfs", "/dev/null"), "may hold no virtio_mmio"),
    ] {
        let outcome = run(change);
        outcome
            .expect_line(&["machine q35"])
            .expect_line(&["boot: machine q35 instead of microvm", reason]);
    }
}

/// With one more word the kernel would panic.
#[test]
fn thirty_three_words_for_the_kernels_init_are_refused() {
    let words = |count: usize| (0..count).map(|n| format!(" \"word {n}\"")).collect::<String>();
    let boot = |count: usize| {
        Boot::new(busybox_layout())
            .append(&format!("ocinit.log=info -- echo{}", words(count - 1)))
            .run()
    };
    let expected: Vec<String> = (0..31).map(|n| format!("word {n}")).collect();
    boot(32).expect_status(0).expect_stdout(&format!("{}\n", expected.join(" ")));
    boot(33).expect_status(125).expect_line(&["boot: ", "33 words", "/ocinit.conf"]);
}

#[test]
fn memory_and_processors_are_as_told() {
    let boot = Boot::new(busybox_layout()).option("--mem", "777").option("--cpus", "2");
    let outcome =
        boot.script("echo cpus=$(nproc); echo kib=$(sed -n 's/^MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo)").run();
    outcome.expect_status(0).expect_value("cpus", "2");
    let kib: u64 = outcome.value("kib").parse().expect("a number");
    assert!((600 << 10..777 << 10).contains(&kib), "{kib} KiB of 777 MiB\n{outcome}");
}
