//! A service manager's sockets reach the container: listening ones, and one for READY=1. Also, how
//! a terminal's output reaches the caller.

use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::lab::{self, Lab, Runtime, done, ended, receive_text};

struct Manager(UnixDatagram);

impl Manager {
    fn at(lab: &Lab) -> Manager {
        let path = lab.dir.join("manager");
        let socket = UnixDatagram::bind(&path).expect("bind");
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .expect("mode");
        Manager(socket)
    }

    /// Returns one message; an empty one if none comes in time.
    fn hears(&self, limit: Duration) -> String {
        self.0.set_read_timeout(Some(limit)).expect("a time limit");
        let mut bytes = [0; 4096];
        let length = self.0.recv(&mut bytes).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    fn hears_soon(&self) -> String {
        self.hears(Duration::from_secs(10))
    }

    fn hears_nothing(&self) -> bool {
        self.hears(Duration::from_millis(200)).is_empty()
    }
}

/// Returns a container that sends `message` to its socket when it is told to, and lives on.
fn notifier(message: &str) -> Lab {
    let mut lab = Lab::new(Runtime::Ocinit);
    // busybox sends no datagrams; the host's perl does.
    lab.merge(
        r#"{"mounts+": [{"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]},
            {"destination": "/lib", "type": "bind", "source": "/usr/lib", "options": ["rbind", "ro"]},
            {"destination": "/lib64", "type": "bind", "source": "/usr/lib64", "options": ["rbind", "ro"]}]}"#,
    );
    lab.script(&format!(
        "echo \"$NOTIFY_SOCKET\" > /root/variable; while [ ! -e /root/go ]; do sleep 0.01; done
         /usr/bin/perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0); connect(S, sockaddr_un($ENV{{NOTIFY_SOCKET}})) or die $!; \
            send(S, \"{message}\", 0) or die $!' 2> /root/error
         touch /run/notify/mine 2>/dev/null && echo writable >> /root/error
         echo > /root/said; while [ ! -e /root/end ]; do sleep 0.01; done; exit 3"
    ));
    lab
}

fn say(lab: &Lab, name: &str) {
    std::fs::write(lab.rootfs.join("root").join(name), "").expect("a word");
}

fn has_said(lab: &Lab) {
    lab.wait_for_file("b/rootfs/root/said");
    assert_eq!(lab.file("b/rootfs/root/error"), "");
}

/// Each command that starts a container passes READY=1 on, with the pid, and no other message.
#[test]
fn ready_is_relayed_and_nothing_else() {
    lab::enter();
    for how in ["run", "run -d", "start"] {
        let lab = notifier("STATUS=here\\nMAINPID=1\\nREADY=1\\nFDSTORE=1");
        let manager = Manager::at(&lab);
        let called = |words: &[&str]| {
            let mut command = lab.command(words);
            command.env("NOTIFY_SOCKET", lab.dir.join("manager")).stdin(Stdio::null());
            command
        };
        if how == "start" {
            done(&lab.finish(&mut called(&["create", "--bundle", "@BUNDLE@", "@ID@"])));
        }
        let words: &[&str] = match how {
            "run" => &["run", "--bundle", "@BUNDLE@", "@ID@"],
            "start" => &["start", "@ID@"],
            _ => &["run", "--detach", "--bundle", "@BUNDLE@", "@ID@"],
        };
        let mut child = called(words).spawn().expect("it starts");
        assert_eq!(
            lab.wait_for_file("b/rootfs/root/variable"),
            "/run/notify/notify.sock\n",
            "{how}"
        );
        assert!(
            manager.hears_nothing() && child.try_wait().expect("wait").is_none(),
            "{how}: it is not ready yet"
        );
        say(&lab, "go");
        assert_eq!(manager.hears_soon(), "READY=1\n", "{how}");
        let pid = if how == "run" { child.id().to_string() } else { lab.state().at("pid").show() };
        assert_eq!(manager.hears_soon(), format!("MAINPID={pid}\n"), "{how}");
        if how == "run" {
            assert!(manager.hears_nothing(), "a process that stays is looked at at any time");
            say(&lab, "end");
            assert_eq!(ended(&mut child).and_then(|status| status.code()), Some(3));
        } else {
            // The command ends when the manager closes the fd.
            let stream = receive_text(&std::os::unix::net::UnixStream::from(
                std::os::fd::OwnedFd::from(manager.0.try_clone().expect("a copy")),
            ));
            let (text, Some(barrier)) = stream else { panic!("{how}: no descriptor: {stream:?}") };
            assert_eq!(text, "BARRIER=1", "{how}");
            std::thread::sleep(Duration::from_millis(50));
            assert!(child.try_wait().expect("wait").is_none(), "{how}: it waits for the manager");
            // SAFETY: the descriptor is ours.
            unsafe { libc::close(barrier) };
            assert!(ended(&mut child).is_some_and(|status| status.success()), "{how}");
            assert_eq!(lab.status(), "running", "{how}");
        }
        has_said(&lab);
        done(&lab.call(&["delete", "--force", "@ID@"]));
        assert_eq!(lab.leftovers(), "", "{how}");
    }
}

/// Waiting for READY=1 ends with the container, and does not lock it.
#[test]
fn a_container_that_is_never_ready_can_be_deleted() {
    lab::enter();
    for how in ["run", "start"] {
        let lab = notifier("READY=1");
        let manager = Manager::at(&lab);
        let called = |words: &[&str]| {
            let mut command = lab.command(words);
            command.env("NOTIFY_SOCKET", lab.dir.join("manager")).stdin(Stdio::null());
            command
        };
        let mut child = match how {
            "run" => {
                called(&["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]).spawn().expect("it starts")
            }
            _ => {
                done(&lab.finish(&mut called(&["create", "--bundle", "@BUNDLE@", "@ID@"])));
                called(&["start", "@ID@"]).spawn().expect("it starts")
            }
        };
        lab.wait_for_file("b/rootfs/root/variable");
        assert!(child.try_wait().expect("wait").is_none(), "{how}");
        done(&lab.call(&["delete", "--force", "@ID@"]));
        assert!(ended(&mut child).is_some(), "{how}");
        assert!(manager.hears_nothing(), "{how}");
        assert_eq!(lab.leftovers(), "", "{how}");
    }
}

/// A socket of the abstract namespace, and a manager that is not there.
#[test]
fn any_address_of_a_manager_will_do() {
    use std::os::linux::net::SocketAddrExt;
    lab::enter();
    let lab = notifier("READY=1");
    let name = format!("ocinit-test-{}", lab.id);
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
    let manager = Manager(UnixDatagram::bind_addr(&address).expect("bind"));
    say(&lab, "go");
    say(&lab, "end");
    let words = ["run", "--bundle", "@BUNDLE@", "@ID@"];
    let said = lab.finish(lab.command(&words).env("NOTIFY_SOCKET", format!("@{name}")));
    assert_eq!(
        (said.status, said.err.as_str(), manager.hears_soon().as_str()),
        (3, "", "READY=1\n")
    );
    let said = lab.finish(lab.command(&words).env("NOTIFY_SOCKET", "/absent/manager"));
    assert!(
        said.status == 3 && said.err.contains("service manager"),
        "it runs all the same: {said:?}"
    );
    // Without a manager there is no such directory or variable.
    std::fs::remove_file(lab.rootfs.join("root/go")).expect("go");
    std::fs::remove_dir_all(lab.rootfs.join("run")).expect("run");
    let mut lab = lab;
    lab.script("echo \"[$NOTIFY_SOCKET]\"; ls /run 2>&1; exit 0");
    let said = lab.finish(lab.command(&words).env_remove("NOTIFY_SOCKET"));
    assert!(said.out.starts_with("[]\n") && !said.out.contains("notify"), "{said:?}");
}

/// A manager's fds come first, then preserved ones; variables tell their number.
#[test]
fn sockets_that_listen_are_handed_on() {
    lab::enter();
    for (runtime, command) in
        [(Runtime::Ocinit, "run"), (Runtime::Ocinit, "create"), (Runtime::Runc, "run")]
    {
        let mut lab = Lab::new(runtime);
        lab.merge(r#"{"process": {"env": ["PATH=/bin", "LISTEN_FDS=9", "LISTEN_FDNAMES=old"]}}"#);
        lab.script(
            "echo $LISTEN_FDS:$LISTEN_PID:$LISTEN_FDNAMES:$$; for n in 3 4 5 6; do readlink /proc/$$/fd/$n; done; true",
        );
        let [one, other] =
            ["one", "other"].map(|name| UnixListener::bind(lab.dir.join(name)).expect("bind"));
        let file = std::fs::File::open(lab.bundle.join("config.json")).expect("a file");
        let given = [one.as_raw_fd(), other.as_raw_fd(), file.as_raw_fd()];
        // LISTEN_PID is the shell's pid, which becomes the runtime.
        let said = |pid: &str, preserved: &[&str]| {
            let inner =
                lab.command(&[&[command], preserved, &["--bundle", "@BUNDLE@", "@ID@"]].concat());
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &format!("LISTEN_PID={pid} exec \"$0\" \"$@\"")])
                .arg(inner.get_program());
            shell.args(inner.get_args()).current_dir(&lab.dir).stdin(Stdio::null());
            shell.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", "a:b");
            shell.stdout(std::fs::File::create(lab.dir.join("out")).expect("out"));
            // SAFETY: these calls touch nothing but the descriptors of the new process.
            unsafe {
                shell.pre_exec(move || {
                    let above = given.map(|fd| libc::fcntl(fd, libc::F_DUPFD, 50));
                    above.iter().zip(3..).for_each(|(fd, target)| {
                        libc::dup2(*fd, target);
                        libc::close(*fd);
                    });
                    Ok(())
                })
            };
            let mut child = shell.spawn().expect("it starts");
            assert!(
                ended(&mut child).is_some_and(|status| status.success()),
                "{runtime:?} {command}"
            );
            if command == "create" {
                done(&lab.start());
                assert_eq!(lab.wait_for("stopped"), "stopped");
                done(&lab.call(&["delete", "@ID@"]));
            }
            let out = lab.file("out");
            out.lines()
                .map(|line| line.split(":[").next().unwrap_or_default().to_string() + "\n")
                .collect::<String>()
        };
        let names = if runtime == Runtime::Ocinit { "a:b" } else { "old" };
        let file = format!("/mnt/{}/b/config.json\n", lab.id);
        assert_eq!(
            said("$$", &["--preserve-fds", "1"]),
            format!("2:1:{names}:1\nsocket\nsocket\n{file}")
        );
        assert_eq!(said("$$", &[]), format!("2:1:{names}:1\nsocket\nsocket\n"));
        // LISTEN_PID of another process: the variables do not count.
        assert_eq!(said("1", &[]), "9::old:1\n", "{runtime:?} {command}");
    }
}

/// A line feed of a terminal reaches a pipe as it is.
#[test]
fn a_terminal_in_the_foreground_adds_no_carriage_return() {
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.merge(r#"{"process": {"terminal": true}}"#);
    lab.script("echo one; echo two");
    for _ in 0..5 {
        assert_eq!(lab.run().show(), "one\ntwo\n");
    }
    lab.merge(r#"{"process": {"terminal": false}}"#);
    lab.script("exec sleep 1000");
    lab::launch(&lab);
    for _ in 0..5 {
        assert_eq!(lab.call(&["exec", "--tty", "@ID@", "echo", "three"]).show(), "three\n");
    }
    // With --console-socket the receiver sets up the terminal.
    let words = [
        "exec",
        "--tty",
        "--detach",
        "--console-socket",
        "@DIR@/console",
        "@ID@",
        "sh",
        "-c",
        "stty -a > /root/stty; echo >> /root/stty",
    ];
    let console = UnixListener::bind(lab.dir.join("console")).expect("bind");
    let mut child = lab.command(&words).stdin(Stdio::null()).spawn().expect("exec");
    let (stream, _) = console.accept().expect("a connection");
    let master = receive_text(&stream).1.expect("the terminal");
    assert!(ended(&mut child).is_some_and(|status| status.success()));
    assert!(lab.wait_for_file("b/rootfs/root/stty").contains(" onlcr"));
    // SAFETY: the descriptor is ours.
    unsafe { libc::close(master) };
}
