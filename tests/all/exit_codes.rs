//! `boot`'s exit status is the container's, or says what else came between: each way of dying.

use crate::support;
use crate::support::elf::program;
use crate::support::images::{Layer, busybox_layout};
use crate::support::{Boot, Image, Layout, Tar, busybox, scratch};

fn image(name: &str, image: &Image) -> Boot {
    let directory = scratch(&format!("exit-{name}"));
    image.write(&directory.join("layout"));
    Boot::new(directory.join("layout"))
}

fn with_file(name: &str, mode: u32, data: &[u8]) -> Boot {
    let tar = Tar::new().file("it", mode, data);
    image(name, &busybox().config(r#""Cmd":["/it"],"Env":["PATH=/bin"]"#).layer(Layer::plain(tar)))
}

/// `exit_group(status)` in machine code: mov edi, status; mov eax, 231; syscall.
fn exits_with(status: u8) -> Vec<u8> {
    program(&[0xbf, status, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05])
}

/// An image whose only file is one program of 132 bytes: nothing else is needed.
#[test]
fn zero_of_an_image_that_holds_nothing_else() {
    let tar = Tar::new().file("it", 0o755, exits_with(0));
    let boot = image("alone", &Image::empty().config(r#""Cmd":["/it"]"#).layer(Layer::plain(tar)));
    boot.run().expect_status(0).expect_stdout("");
}

#[test]
fn two_hundred_and_fifty_five() {
    Boot::new(busybox_layout()).script("exit 255").run().expect_status(255);
}

#[test]
fn killed_by_a_fault_of_its_own() {
    // ud2: SIGILL, which also kills the PID 1 of a namespace.
    with_file("fault", 0o755, &program(&[0x0f, 0x0b])).run().expect_status(128 + 4);
}

#[test]
fn killed_for_its_memory() {
    let boot =
        Boot::new(busybox_layout()).append("ocinit.memory=32M").arguments(["tail", "/dev/zero"]);
    boot.run().expect_status(128 + 9);
}

/// Below our init the process is not PID 1, so a signal of its own kills it.
#[test]
fn killed_by_a_signal_below_init() {
    let boot =
        Boot::new(busybox_layout()).append("ocinit.init=on").script("kill -HUP $$; sleep 100");
    boot.run().expect_status(128 + 1);
}

#[test]
fn a_command_that_is_not_there_is_127() {
    let outcome = Boot::new(busybox_layout()).arguments(["/bin/nothing-like-this"]).run();
    outcome.expect_status(127).expect_stdout("").expect_line(&[
        "ocinit: ",
        "/bin/nothing-like-this",
        "no such file",
    ]);
}

#[test]
fn a_command_that_is_nowhere_on_path_is_127() {
    let outcome = Boot::new(busybox_layout()).arguments(["nothing-like-this"]).run();
    outcome.expect_status(127).expect_stdout("").expect_line(&[
        "ocinit: ",
        "nothing-like-this",
        "PATH",
    ]);
}

#[test]
fn a_command_that_is_a_directory_is_126() {
    Boot::new(busybox_layout())
        .arguments(["/etc"])
        .run()
        .expect_status(126)
        .expect_line(&["ocinit: ", "/etc"]);
}

#[test]
fn a_command_without_the_execute_bit_is_126() {
    let outcome = with_file("mode", 0o644, &exits_with(0)).run();
    outcome.expect_status(126).expect_line(&["ocinit: ", "/it", "permission denied"]);
}

#[test]
fn a_command_that_is_no_program_is_126() {
    let outcome = with_file("text", 0o755, b"neither ELF nor script\n").run();
    outcome.expect_status(126).expect_line(&["ocinit: ", "/it"]);
}

#[test]
fn a_command_for_another_processor_is_126() {
    let mut arm = exits_with(0);
    arm[18] = 183;
    with_file("arm", 0o755, &arm).run().expect_status(126).expect_line(&["ocinit: ", "/it"]);
}

/// The script is there and executable; what it names is not.
#[test]
fn a_missing_interpreter_is_named() {
    let outcome = with_file("interpreter", 0o755, b"#!/usr/bin/absent -x\necho EXECUTED\n").run();
    outcome
        .expect_stdout("")
        .expect_line(&["ocinit: ", "/it", "/usr/bin/absent"])
        .expect_status(127);
}

/// The same for a program linked against a loader that the image does not hold.
#[test]
fn a_missing_loader_is_named() {
    // The host's own `true` is dynamic; an image of this file alone lacks its loader.
    let tar = Tar::new().file("it", 0o755, support::read(std::path::Path::new("/bin/true")));
    let boot = image("loader", &Image::empty().config(r#""Cmd":["/it"]"#).layer(Layer::plain(tar)));
    boot.run().expect_line(&["ocinit: ", "/it", "/lib64/ld-linux-x86-64.so.2"]).expect_status(127);
}

#[test]
fn a_failure_of_ocinit_is_125() {
    let boot = Boot::new(busybox_layout()).option("--fs", "ext4").append("ocinit.path=/nowhere");
    let outcome = boot.arguments(["echo", "EXECUTED"]).run();
    outcome.expect_status(125).expect_stdout("").expect_line(&["ocinit: "]);
}

/// In `mode=exec` the image's process is PID 1 itself, and its end is a kernel panic.
#[test]
fn a_kernel_panic_is_125_and_shows_the_log() {
    let outcome = Boot::new(busybox_layout()).append("ocinit.mode=exec").script("exit 0").run();
    outcome.expect_status(125).expect_line(&["Attempted to kill init"]);
}

/// An image's own init reports nothing; that it powered the machine off is all it says.
#[test]
fn an_init_of_the_images_own_that_powers_off_is_0() {
    let outcome = Boot::new(busybox_layout())
        .append("ocinit.mode=exec")
        .script("echo by itself; poweroff -f")
        .run();
    outcome.expect_status(0);
    assert!(outcome.text().contains("by itself"), "{outcome}");
}

#[test]
fn time_is_up_is_124() {
    let outcome =
        Boot::new(busybox_layout()).timeout(20).script("echo started; exec sleep 1000").run();
    outcome.expect_status(124).expect_stdout("started\n").expect_line(&["20"]);
}

/// Ends with the status that its argument says, in decimal: the image of one file that is unpacked
/// 256 times below.
fn exits_as_told() -> Vec<u8> {
    program(&[
        0x48, 0x8b, 0x74, 0x24, 0x10, // mov rsi, [rsp+16]: the first argument
        0x31, 0xff, // xor edi, edi
        0x0f, 0xb6, 0x06, // next: movzx eax, byte [rsi]
        0x84, 0xc0, // test al, al
        0x74, 0x0c, // je end
        0x6b, 0xff, 10, // imul edi, edi, 10
        0x8d, 0x7c, 0x07, 0xd0, // lea edi, [rdi+rax-'0']
        0x48, 0xff, 0xc6, // inc rsi
        0xeb, 0xed, // jmp next
        0xb8, 231, 0, 0, 0, // end: mov eax, exit_group
        0x0f, 0x05, // syscall
    ])
}

/// Every status on its way through ocinit: in one VM, a shell that is PID 1 starts ocinit 256 times
/// as the PID 1 of a new pid namespace, where it boots an image of the same disk, runs a program
/// that ends with N and says on the console what it would report.
#[test]
fn all_of_them_through_the_guest() {
    let directory = scratch("exit-all");
    let own =
        Layer::plain(Tar::new().file("ocinit", 0o755, support::read(support::boot::released())));
    let mut layout = Layout::create(&directory.join("layout"));
    busybox().layer(own).add(&mut layout, "shell");
    let it = Layer::plain(Tar::new().file("it", 0o755, exits_as_told()));
    Image::empty().config(r#""Cmd":["/it"]"#).layer(it).add(&mut layout, "exit");
    layout.write_index();
    let script = r"n=0; while [ $n -lt 256 ]; do
        printf 'ocinit.disk=/dev/vda\0ocinit.ref=exit\0arg=/it\0arg=%s\0' $n >/ocinit.conf; echo expected status $n;
        unshare -mpf /ocinit; n=$((n+1)); done; echo all done; poweroff -f"
        .replace('\n', " ");
    let configuration = format!(
        "ocinit.disk=/dev/vda\nocinit.ref=shell\nocinit.mode=exec\narg=sh\narg=-c\narg={script}\n"
    );
    let limit = std::time::Duration::from_secs(600);
    let outcome = support::console::run(&directory, &configuration, &layout.archive(), limit);
    let text = outcome.text().replace('\r', "");
    assert!(text.contains("all done"), "it did not come to the end\n{outcome}\n{}", tail(&text));
    let numbers = |prefix: &str| -> Vec<u32> {
        text.lines().filter_map(|line| line.strip_prefix(prefix)?.parse().ok()).collect()
    };
    let every: Vec<u32> = (0..256).collect();
    assert_eq!(numbers("expected status "), every);
    assert_eq!(numbers("ocinit: exit status "), every, "{}", tail(&text));
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// Every status on its way through `boot`: a machine that only reports, in place of QEMU.
#[test]
fn all_of_them_through_boot() {
    let directory = scratch("exit-host");
    let fake = directory.join("qemu-system-x86_64");
    let text = r#"#!/usr/bin/python3
import os, re, socket, sys
fds = dict(re.findall(r"socket,id=(\w+),fd=(\d+)", " ".join(sys.argv)))
control = socket.socket(fileno=int(fds["control"]))
control.sendall(b"hello 1\nstarted\nexit %s 0 0\n" % os.environ["STATUS"].encode())
said = b""
while b"done\n" not in said:
    said += control.recv(100) or sys.exit("no done")
"#;
    support::write_program(&fake, text);
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").expect("PATH"));
    let layout = busybox_layout();
    let boot = Boot::new(layout).option("--accel", "tcg").option("--kernel", "/dev/null");
    std::thread::scope(|scope| {
        for quarter in 0..4_u8 {
            let (boot, path) = (&boot, &path);
            scope.spawn(move || {
                for status in (quarter..=255).step_by(4) {
                    let mut command = boot.command();
                    let child = command
                        .env("PATH", path)
                        .env("STATUS", status.to_string())
                        .spawn()
                        .expect("boot");
                    let limit = std::time::Duration::from_secs(60);
                    support::boot::finish(child, None, limit)
                        .expect_status(status.into())
                        .expect_stdout("");
                }
            });
        }
    });
}

/// Without a report port (another VMM, a board) the console carries the container's output and the
/// last line the status.
#[test]
fn the_consoles_last_line_says_the_status() {
    let outcome = Boot::new(busybox_layout())
        .flag("--console")
        .script("printf '%03900d\n' 7; printf end; exit 77")
        .run();
    outcome.expect_status(77);
    let text = outcome.text().replace('\r', "");
    // A UART is slow: most of this is still on its way when the container ends.
    assert!(
        text.contains(&format!("{}7\n", "0".repeat(3899))),
        "its output is not whole\n{outcome}"
    );
    assert!(text.ends_with("7\nend\nocinit: exit status 77\n"), "{outcome}");
}
