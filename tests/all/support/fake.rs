//! A fake QEMU: it has the ports, and a test's script speaks on them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Boot, write_program};

/// Finds its end of each port by name among the fds that QEMU inherits.
const PROLOGUE: &str = r#"#!/usr/bin/python3
import os, re, signal, socket, sys, time
ports = {name: socket.socket(fileno=int(fd)) for name, fd in re.findall(r"socket,id=(\w+),fd=(\d+)", " ".join(sys.argv))}
def say(name, data):
    try: ports[name].sendall(data)
    except OSError: sys.exit(1)
def wait_for(line):
    said = b""
    while line not in said: said += ports["control"].recv(100) or sys.exit(1)
"#;

/// A folder with such a program.
pub struct FakeQemu {
    folder: PathBuf,
}

impl FakeQemu {
    /// Returns one that runs this Python text. In it `say(PORT, BYTES)` and `wait_for(LINE)` talk
    /// to
    /// `boot`.
    pub fn new(folder: &Path, script: &str) -> FakeQemu {
        let program = folder.join("qemu-system-x86_64");
        write_program(&program, format!("{PROLOGUE}{script}"));
        FakeQemu { folder: folder.to_path_buf() }
    }

    /// `boot`'s command with this program in QEMU's place.
    pub fn command(&self, boot: &Boot) -> Command {
        let boot = boot.clone().option("--accel", "tcg").option("--machine", "pc");
        self.on_path(boot.option("--kernel", "/dev/null").command())
    }

    /// Puts the program first on PATH, with its own cache for what `boot` remembers of QEMU.
    pub fn on_path(&self, mut command: Command) -> Command {
        let path = std::env::var("PATH").expect("PATH");
        command
            .env("PATH", format!("{}:{path}", self.folder.display()))
            .env("XDG_CACHE_HOME", self.folder.join("cache"));
        command
    }
}
