//! Runs `qemu/boot` as a user does and keeps its result.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{project, slots};

/// Seconds a VM may take before `boot` ends it: a loaded machine under tcg is slow, a hang is
/// longer.
const TIMEOUT_SECONDS: u64 = 180;
/// Seconds `boot` itself has to end after that.
const GRACE_SECONDS: u64 = 30;
/// Lines of the log shown when a test fails.
const TAIL_LINES: usize = 60;

/// What the container reads.
#[derive(Clone)]
pub enum Input {
    Null,
    Bytes(Vec<u8>),
    File(PathBuf),
    Closed,
}

/// One start of `qemu/boot`.
#[derive(Clone)]
pub struct Boot {
    options: Vec<OsString>,
    image: OsString,
    arguments: Vec<OsString>,
    input: Input,
    timeout_seconds: u64,
}

/// What `boot` gave back.
pub struct Outcome {
    /// Its exit status; -1 if a signal ended it.
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub took: Duration,
}

/// The released binary, built once: what `qemu/boot` puts into the initramfs.
pub fn released() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        super::tool(
            Command::new(env!("CARGO"))
                .args(["build", "--release", "--quiet"])
                .current_dir(project()),
        );
        // Next to the `tmp` of this target, wherever the target directory is.
        Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("release").join("ocinit")
    })
}

impl Boot {
    /// Boots a layout directory, an archive or a disk file, with `:REF` behind it if one is wanted.
    pub fn new(image: impl AsRef<OsStr>) -> Boot {
        Boot {
            options: Vec::new(),
            image: image.as_ref().to_owned(),
            arguments: Vec::new(),
            input: Input::Null,
            timeout_seconds: TIMEOUT_SECONDS,
        }
    }

    /// One option of `boot` with its value: `("--fs", "erofs")`.
    pub fn option(mut self, name: &str, value: impl AsRef<OsStr>) -> Boot {
        self.options.extend([name.into(), value.as_ref().to_owned()]);
        self
    }

    /// One option without a value.
    pub fn flag(mut self, name: &str) -> Boot {
        self.options.push(name.into());
        self
    }

    /// Words of the kernel's command line.
    pub fn append(self, words: &str) -> Boot {
        self.option("--append", words)
    }

    /// The container's arguments.
    pub fn arguments<T: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = T>) -> Boot {
        self.arguments.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// A shell script as the container's arguments.
    pub fn script(self, text: &str) -> Boot {
        self.arguments(["sh", "-c", text])
    }

    /// What stands on standard input; nothing unless told.
    pub fn input(mut self, input: Input) -> Boot {
        self.input = input;
        self
    }

    /// Seconds until `boot` gives the VM up.
    pub fn timeout(mut self, seconds: u64) -> Boot {
        self.timeout_seconds = seconds;
        self
    }

    /// `boot`'s own argument vector.
    pub fn words(&self) -> Vec<OsString> {
        released();
        let mut words = vec![project().join("qemu/boot").into_os_string()];
        words.extend(["--timeout".into(), self.timeout_seconds.to_string().into()]);
        if let Some(accel) = std::env::var_os("OCINIT_TEST_ACCEL") {
            words.extend(["--accel".into(), accel]);
        }
        words.extend(self.options.iter().cloned());
        words.push(self.image.clone());
        if !self.arguments.is_empty() {
            words.push("--".into());
            words.extend(self.arguments.iter().cloned());
        }
        words
    }

    /// The command, for a test that handles its streams itself. Hold a slot while it runs.
    pub fn command(&self) -> Command {
        let words = self.words();
        let mut command = match self.input {
            Input::Closed => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "exec \"$@\" <&-", "sh"]).args(&words);
                shell
            }
            _ => {
                let mut command = Command::new(&words[0]);
                command.args(&words[1..]);
                command
            }
        };
        command.stdin(match &self.input {
            Input::Null | Input::Closed => Stdio::null(),
            Input::Bytes(_) => Stdio::piped(),
            Input::File(path) => Stdio::from(File::open(path).expect("input file")),
        });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end in a free slot.
    pub fn run(&self) -> Outcome {
        let mut command = self.command();
        let _slot = slots::take();
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let input = if let Input::Bytes(bytes) = &self.input { Some(bytes.clone()) } else { None };
        finish(child, input, Duration::from_secs(self.timeout_seconds + GRACE_SECONDS))
    }
}

/// Feeds a started `boot`, reads all it says and waits for its end, or ends it after `limit`.
pub fn finish(mut child: Child, input: Option<Vec<u8>>, limit: Duration) -> Outcome {
    let started = Instant::now();
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feeder = std::thread::spawn(move || {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // A container that does not read its input to the end is not this side's failure.
            let _ = stdin.write_all(&input);
        }
    });
    let output = std::thread::spawn(move || read_all(stdout));
    let errors = std::thread::spawn(move || read_all(stderr));
    let status = loop {
        if let Some(status) = child.try_wait().expect("boot can be waited for") {
            break status.code().unwrap_or(-1);
        }
        if started.elapsed() > limit {
            end(&mut child);
            break -1;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let took = started.elapsed();
    feeder.join().expect("feeder");
    let stdout = output.join().expect("stdout");
    let stderr = String::from_utf8_lossy(&errors.join().expect("stderr")).into_owned();
    Outcome { status, stdout, stderr, took }
}

/// Asks `boot` to kill its VM (the second signal does), and kills it if it does not.
fn end(child: &mut Child) {
    for signal in ["TERM", "TERM", "KILL"] {
        send(child, signal);
        std::thread::sleep(Duration::from_secs(2));
    }
    let _ = child.wait();
}

/// Sends a signal by its name.
pub fn send(child: &Child, signal: &str) {
    let _ = Command::new("kill")
        .args(["-s", signal, &child.id().to_string()])
        .stderr(Stdio::null())
        .status();
}

fn read_all(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = stream.read_to_end(&mut bytes);
    }
    bytes
}

impl Outcome {
    /// Fails the test, showing the log, unless the status is this one.
    #[track_caller]
    pub fn expect_status(&self, status: i32) -> &Outcome {
        assert!(self.status == status, "exit status {}, not {status}\n{self}", self.status);
        self
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Fails the test unless standard output is exactly this text.
    #[track_caller]
    pub fn expect_stdout(&self, text: &str) -> &Outcome {
        assert!(self.text() == text, "standard output is {:?}, not {text:?}\n{self}", self.text());
        self
    }

    /// Fails the test unless one single line of standard error holds all of these.
    #[track_caller]
    pub fn expect_line(&self, parts: &[&str]) -> &Outcome {
        assert!(
            self.line(parts).is_some(),
            "no line of standard error holds all of {parts:?}\n{self}"
        );
        self
    }

    /// The first line of standard error that holds all of these.
    pub fn line(&self, parts: &[&str]) -> Option<&str> {
        self.stderr.lines().find(|line| parts.iter().all(|part| line.contains(part)))
    }

    /// What the container printed as `NAME=value`.
    #[track_caller]
    pub fn value(&self, name: &str) -> String {
        let text = self.text();
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {name}= on standard output\n{self}")).to_string()
    }

    /// Fails the test unless the container printed `NAME=value`.
    #[track_caller]
    pub fn expect_value(&self, name: &str, value: &str) -> &Outcome {
        let found = self.value(name);
        assert!(found == value, "{name} is {found:?}, not {value:?}\n{self}");
        self
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(&self.stdout[..self.stdout.len().min(2000)]);
        writeln!(
            f,
            "-- status {} after {:.1?}; standard output ({} bytes):",
            self.status,
            self.took,
            self.stdout.len()
        )?;
        writeln!(f, "{shown}\n-- standard error, its last lines:")?;
        let lines: Vec<&str> = self.stderr.lines().collect();
        for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}
