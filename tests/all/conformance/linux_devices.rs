//! config-linux.md, "Default devices", "Devices", "Default symbolic links", and the terminal's
//! console.

use std::os::unix::fs::symlink;

use super::case::{Case, case};
use crate::support::lab::Lab;

pub fn cases() -> Vec<Case> {
    [defaults(), listed(), wrong(), terminal()].into_iter().flatten().collect()
}

fn defaults() -> Vec<Case> {
    vec![
        case("devices.default", "MUST be supplied, for all to read and write")
            .sh("for d in null zero full random urandom tty; do stat -c '%n %F %t:%T %a' /dev/$d; done")
            .gives("/dev/null character special file 1:3 666\n/dev/zero character special file 1:5 666\n/dev/full character special file 1:7 666\n/dev/random character special file 1:8 666\n/dev/urandom character special file 1:9 666\n/dev/tty character special file 5:0 666\n"),
        case("devices.default.umask", "their modes do not depend on the caller's umask")
            .sh("stat -c %a /dev/null /dev/tty")
            .act(|lab| {
                let run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
                let mut command = std::process::Command::new("/bin/sh");
                command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(run.get_program()).args(run.get_args());
                lab.finish(&mut command).show()
            })
            .gives("666\n666\n"),
        case("devices.ptmx", "is a way to the container's own /dev/pts/ptmx")
            .sh("readlink /dev/ptmx; stat -L -c %t:%T /dev/ptmx")
            .gives("pts/ptmx\n5:2\n"),
        case("devices.links", "the links of standard streams are there")
            .sh("for l in fd stdin stdout stderr; do readlink /dev/$l; done")
            .gives("/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n"),
        case("devices.console.none", "without a terminal there is no console").sh("ls /dev/console 2>/dev/null; true").gives(""),
        case("devices.list", "nothing else is there")
            .sh("ls /dev | grep -v '^core$' | tr '\\n' ' '")
            .gives("fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "),
        case("devices.core", "/dev/core is there where /proc/kcore is, and only there")
            .sh("test -e /proc/kcore; a=$?; test -L /dev/core; test $a = $? && echo so")
            .gives("so\n"),
        case("devices.in-root", "where /dev is the root's, they are made in it")
            .with(r#"{"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}]}"#)
            .sh("stat -c %t:%T /dev/null; readlink /dev/stdin")
            .gives("1:3\n/proc/self/fd/0\n"),
        case("devices.link", "an image's /dev that is a link leads to no other place than the root's (CVE-2026-41579)")
            .with(r#"{"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}]}"#)
            .setup(|lab| {
                std::fs::create_dir(lab.dir.join("outside")).unwrap();
                std::fs::remove_dir(lab.rootfs.join("dev")).unwrap();
                symlink(lab.dir.join("outside"), lab.rootfs.join("dev")).unwrap();
            })
            .act(|lab| {
                lab.run();
                let made = std::fs::read_dir(lab.dir.join("outside")).unwrap().count();
                format!("{made} outside")
            })
            .gives("0 outside"),
        case("devices.null.link", "an image's /dev/null that is a link is not followed")
            .with(r#"{"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}]}"#)
            .setup(|lab| symlink("/etc/group", lab.rootfs.join("dev/null")).unwrap())
            .act(|lab| {
                lab.run();
                let group = std::fs::metadata(lab.rootfs.join("etc/group")).unwrap();
                format!("{:o}", std::os::unix::fs::PermissionsExt::mode(&group.permissions()) & 0o777)
            })
            .gives("644"),
    ]
}

fn listed() -> Vec<Case> {
    vec![
        case("devices.char", "type, numbers, mode and owner are what they are said to be")
            .with(r#"{"linux": {"devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 3, "gid": 4}]}}"#)
            .sh("stat -c '%F %t:%T %a %u:%g' /dev/fuse")
            .gives("character special file a:e5 666 3:4\n"),
        case("devices.unbuffered", "type u is a character device")
            .with(r#"{"linux": {"devices": [{"path": "/dev/u", "type": "u", "major": 1, "minor": 5, "fileMode": 384}]}}"#)
            .sh("stat -c '%F %t:%T %a' /dev/u")
            .gives("character special file 1:5 600\n"),
        case("devices.block", "a block device")
            .with(r#"{"linux": {"devices": [{"path": "/dev/loop77", "type": "b", "major": 7, "minor": 77, "fileMode": 432}]}}"#)
            .sh("stat -c '%F %t:%T %a' /dev/loop77")
            .gives("block special file 7:4d 660\n"),
        case("devices.fifo", "a fifo needs no numbers")
            .with(r#"{"linux": {"devices": [{"path": "/dev/pipe", "type": "p", "fileMode": 420}]}}"#)
            .sh("stat -c '%F %a' /dev/pipe")
            .gives("fifo 644\n"),
        case("devices.elsewhere", "its directory is made where it is not there")
            .with(r#"{"linux": {"devices": [{"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200, "fileMode": 438}]}}"#)
            .sh("stat -c '%t:%T' /dev/net/tun; stat -c %a /dev/net")
            .gives("a:c8\n755\n"),
        case("devices.large", "large numbers arrive whole")
            .with(r#"{"linux": {"devices": [{"path": "/dev/big", "type": "b", "major": 259, "minor": 70000, "fileMode": 384}]}}"#)
            .sh("stat -c '%t:%T' /dev/big")
            .gives("103:11170\n"),
        case("devices.again", "one that is a default device too is no error")
            .with(r#"{"linux": {"devices": [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 0, "gid": 0}]}}"#)
            .sh("stat -c '%t:%T' /dev/null")
            .gives("1:3\n"),
        case("devices.there", "one that is there already as it should be is no error")
            .with(r#"{"linux": {"devices": [{"path": "/opt/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 438}]}}"#)
            .setup(|lab| {
                std::fs::create_dir(lab.rootfs.join("opt")).unwrap();
                let words = ["-m", "666", "c", "1", "5"];
                let made = std::process::Command::new("mknod").args(&words[..2]).arg(lab.rootfs.join("opt/zero")).args(&words[2..]).status();
                assert!(made.unwrap().success());
            })
            .sh("stat -c '%t:%T' /opt/zero")
            .gives("1:5\n"),
        case("devices.mode.absent", "without fileMode the runtime chooses; all of them take 0666")
            .with(r#"{"linux": {"devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]}}"#)
            .sh("stat -c '%t:%T %a' /dev/fuse")
            .gives("a:e5 666\n"),
    ]
}

fn wrong() -> Vec<Case> {
    vec![
        case("devices.path.missing", "path is REQUIRED")
            .with(r#"{"linux": {"devices": [{"type": "c", "major": 1, "minor": 5}]}}"#)
            .refused_naming(&["linux.devices[0].path"]),
        case("devices.type.missing", "type is REQUIRED")
            .with(r#"{"linux": {"devices": [{"path": "/dev/x", "major": 1, "minor": 5}]}}"#)
            .refused_naming(&["linux.devices[0].type"]),
        case("devices.type.unknown", "an unknown type is an error")
            .with(r#"{"linux": {"devices": [{"path": "/dev/x", "type": "z", "major": 1, "minor": 5}]}}"#)
            .refused_naming(&["linux.devices[0]"]),
        case("devices.numbers.missing", "major and minor are REQUIRED unless type is p")
            .with(r#"{"linux": {"devices": [{"path": "/dev/x", "type": "c"}]}}"#)
            .refused_naming(&["linux.devices[0]"]),
        case("devices.other-file", "a file at its path that is not that device MUST be an error")
            .with(r#"{"linux": {"devices": [{"path": "/etc/passwd", "type": "c", "major": 1, "minor": 5}]}}"#)
            .refused_naming(&["/etc/passwd"]),
        case("devices.other-device", "a device of other numbers at its path MUST be an error")
            .with(r#"{"linux": {"devices": [{"path": "/dev/null", "type": "c", "major": 1, "minor": 5}]}}"#)
            .refused_naming(&["linux.devices[0]", "/dev/null"]),
        case("devices.path.relative", "a path that is not absolute is an error")
            .with(r#"{"linux": {"devices": [{"path": "x", "type": "c", "major": 1, "minor": 5}]}}"#)
            .refused_naming(&["linux.devices[0].path"]),
    ]
}

/// Runs with a pseudo-terminal as the caller's own, of 30 rows and 90 columns.
fn at_a_terminal(lab: &mut Lab) -> String {
    let run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
    let mut command = std::process::Command::new("python3");
    command.arg(crate::support::project().join("tests/all/support/terminal.py")).arg("--");
    command.arg(run.get_program()).args(run.get_args());
    lab.finish(&mut command).show().replace('\r', "")
}

fn terminal() -> Vec<Case> {
    vec![
        case("terminal", "standard streams are a terminal, whose size is the caller's")
            .with(r#"{"process": {"terminal": true}}"#)
            .sh("tty; for n in 0 1 2; do test -t $n && echo $n; done; stty size")
            .act(at_a_terminal)
            .gives("/dev/pts/0\n0\n1\n2\n30 90\n"),
        case("terminal.console", "/dev/console is that terminal")
            .with(r#"{"process": {"terminal": true}}"#)
            .sh("stat -c %F /dev/console; echo said >/dev/console; awk '$2 == \"/dev/console\" {print $3}' /proc/mounts")
            .act(at_a_terminal)
            .gives("character special file\nsaid\ndevpts\n"),
        case("terminal.controlling", "it is the controlling terminal")
            .with(r#"{"process": {"terminal": true}}"#)
            .sh("echo said >/dev/tty; ps -o pid,tty,args | grep -c '[1] 136,0'; true")
            .act(at_a_terminal)
            .gives("said\n1\n"),
        case("terminal.owner", "it belongs to the program's user")
            .with(r#"{"process": {"terminal": true, "user": {"uid": 1000, "gid": 1000}}}"#)
            .sh("stat -L -c '%u %a' /dev/stdin")
            .act(at_a_terminal)
            .gives("1000 620\n"),
        case("terminal.status", "the program's status is run's")
            .with(r#"{"process": {"terminal": true}}"#)
            .sh("exit 7")
            .act(at_a_terminal)
            .gives("[7]"),
        case("terminal.size.none", "consoleSize MUST be ignored without a terminal")
            .with(r#"{"process": {"consoleSize": {"height": 10, "width": 20}}}"#)
            .sh("echo runs")
            .gives("runs\n"),
        case("terminal.socket.needed", "create with a terminal needs --console-socket")
            .with(r#"{"process": {"terminal": true}}"#)
            .act(|lab| super::case::refusal(lab, &["create", "--bundle", "@BUNDLE@", "@ID@"]))
            .gives("refused"),
        case("terminal.socket.useless", "--console-socket without a terminal is an error")
            .act(|lab| {
                let socket = std::os::unix::net::UnixListener::bind(lab.dir.join("sock")).unwrap();
                let seen = super::case::refusal(lab, &["create", "--bundle", "@BUNDLE@", "--console-socket", "@DIR@/sock", "@ID@"]);
                drop(socket);
                seen
            })
            .gives("refused"),
        case("terminal.socket", "the terminal's master comes over the socket; consoleSize is its size")
            .with(r#"{"process": {"terminal": true, "consoleSize": {"height": 11, "width": 22}}}"#)
            .sh("stty size; read line; echo \"got $line\"")
            .act(over_the_socket)
            .gives("11 22\ngot typed\n"),
    ]
}

fn over_the_socket(lab: &mut Lab) -> String {
    use std::io::{Read, Write};
    use std::os::fd::FromRawFd;
    let listener = std::os::unix::net::UnixListener::bind(lab.dir.join("sock")).unwrap();
    let said =
        lab.call(&["create", "--bundle", "@BUNDLE@", "--console-socket", "@DIR@/sock", "@ID@"]);
    if said.status != 0 {
        return said.err;
    }
    let (stream, _) = listener.accept().unwrap();
    let Some(master) = crate::support::lab::receive_descriptor(&stream) else {
        return "no descriptor".into();
    };
    // SAFETY: the kernel has just made this fd, and only this test has it.
    let mut master = unsafe { std::fs::File::from_raw_fd(master) };
    lab.start();
    let mut seen = String::new();
    let mut buffer = [0_u8; 256];
    let mut typed = false;
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        if !typed && seen.contains('\n') {
            typed = true;
            master.write_all(b"typed\n").unwrap();
        }
    }
    seen.replace('\r', "").replace("\ntyped\n", "\n")
}
