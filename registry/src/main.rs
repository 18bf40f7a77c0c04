//! The program: options, then the channel.

use ocinit_registry::exchange::Times;
use ocinit_registry::{control, sys};
use std::os::fd::RawFd;
use std::process::exit;
use std::time::Duration;

const HELP: &str = "\
ocinit-registry: speaks to registries for ocinit, which starts it by itself

usage: ocinit-registry [--control FD]

  --control FD   the socket to ocinit (3)
  --connect MS   how long a connection may take, in milliseconds (10000)
  --idle MS      how long neither a byte comes nor goes (30000)
  --pause MS     the first pause before something is tried again (500)
  --help, --version
";

fn fail(text: &str) -> ! {
    eprintln!("ocinit-registry: {text}; see ocinit-registry --help");
    exit(125);
}

fn main() {
    let parent = sys::parent();
    let (mut control, mut connect, mut idle, mut pause) = (3, 10_000, 30_000, 500);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().and_then(|value| value.parse::<u32>().ok());
            value.unwrap_or_else(|| fail(&format!("{word} takes a number")))
        };
        match word.as_str() {
            "--control" => control = number(),
            "--connect" => connect = number(),
            "--idle" => idle = number(),
            "--pause" => pause = number(),
            "--help" => return print!("{HELP}"),
            "--version" => return println!("ocinit-registry {}", env!("CARGO_PKG_VERSION")),
            _ => fail(&format!("unknown option {word}")),
        }
    }
    let socket = sys::inherited(control as RawFd)
        .unwrap_or_else(|_| fail(&format!("no socket to ocinit as fd {control}")));
    if sys::die_with_parent(parent).is_err() {
        // ocinit has ended already.
        exit(0);
    }
    if let Err(error) = sys::hide_memory() {
        fail(&format!("PR_SET_DUMPABLE: {error}"));
    }
    let [connect, idle, pause] =
        [connect, idle, pause].map(|time| Duration::from_millis(time.into()));
    exit(control::serve(socket, Times { connect, idle, pause }));
}
