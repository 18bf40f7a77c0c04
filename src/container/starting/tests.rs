//! Starts on one loop, in their own process, because a test's process has threads.

use super::super::hooks::HookContext;
use super::super::state::{Id, State, Status};
use super::super::tests::fixture::{self, Fixture};
use super::super::{Due, Stdio, launch};
use super::*;
use crate::spec::{self, HookKind, Spec};
use crate::sys::clone::{self, Side};
use crate::sys::fd::{CWD, FdRef};
use crate::sys::signal::SignalSet;
use crate::sys::{fs, time};

/// Returns a spec whose prestart hook is this script.
fn with_hook(script: &str, env: &'static [u8]) -> Spec<'static> {
    let hook = format!(r#"{{"path":"/bin/sh","args":["sh","-c","{script}"]}}"#);
    let hooks = format!(r#","hooks":{{"prestart":[{hook}]}}"#);
    let hooks = spec::leaked_linux("{}", &hooks).unwrap().hooks;
    Spec { hooks, ..fixture::spec(env) }
}

/// Returns a start of the spec, with all that its hooks need.
fn launch<'a>(spec: &'a Spec<'a>, root: FdRef<'a>, null: FdRef<'a>) -> Launch<'a> {
    let id = Id::check(c"one").unwrap();
    let context = HookContext { spec, id, state: State::UNKNOWN, status: Status::Creating };
    Launch {
        spec,
        args: None,
        root: Some(root),
        stdio: Stdio::Files([null; 3]),
        cgroup: None,
        gate: None,
        enters: None,
        rootless: false,
        no_pivot: false,
        preserved: 0,
        keeps_keyring: false,
        shows_terminal: false,
        about: None,
        filter: None,
        due: Due { container: Some(context), hooks: &[HookKind::Prestart], ..Due::NOTHING },
    }
}

/// Runs `check` alone, with all signals blocked. It returns the number of the wrong line, or 0. It
/// may not use the heap, because another thread may have had its lock at the fork.
fn alone(check: impl FnOnce() -> u32) {
    match clone::fork(0, None).unwrap() {
        Side::Child => {
            signal::set_mask(SignalSet::ALL).unwrap();
            process::exit(check() as i32)
        }
        Side::Parent(pid, _) => assert_eq!(children::await_end_of(pid), Some(Ended::Exited(0))),
    }
}

macro_rules! must {
    ($condition:expr) => {
        if !$condition {
            return line!();
        }
    };
}

/// While the hook of one start sleeps, another container starts, runs and ends, and a signal is
/// reported. The first start then goes on.
#[test]
fn a_hook_that_sleeps_keeps_nothing_else_waiting() {
    let Some(root) = Fixture::new("sleeping-hook") else { return };
    let slow = with_hook("sleep 2", b"PATH=/bin\0PROBE=exit\0STATUS=3\0");
    let quick = with_hook("exit 0", b"PATH=/bin\0PROBE=exit\0STATUS=5\0");
    let null = fs::open(CWD, c"/dev/null", fs::O_RDWR, 0).unwrap();
    let first = launch(&slow, root.fd.by_ref(), null.by_ref());
    let second = launch(&quick, root.fd.by_ref(), null.by_ref());
    let mut pointers = Box::new([0; crate::limits::PROCESS_STRINGS_MAX]);
    alone(|| {
        let Ok(mut events) = Loop::new(SignalSet::ALL) else { return 1 };
        let mut starts = [&first, &second]
            .map(|launch| launch::begin(launch, launch, &mut events, &mut pointers).ok());
        must!(starts.iter().all(Option::is_some));
        let mut running = [None, None];
        // The events in order.
        let mut order = heapless::Vec::<&str, 8>::new();
        while order.len() < 5 {
            let Ok(happened) = events.next_event() else { return line!() };
            match happened {
                Happened::Signal(libc::SIGUSR1, _) => must!(order.push("signal").is_ok()),
                Happened::Ended(token, ended) if running[1] == Some(token) => {
                    must!(ended == Ended::Exited(5) && order.push("second ends").is_ok());
                    must!(process::kill(process::getpid(), libc::SIGUSR1).is_ok());
                }
                Happened::Ended(token, ended) if running[0] == Some(token) => {
                    must!(ended == Ended::Exited(3) && order.push("first ends").is_ok());
                }
                _ => {}
            }
            for (n, name) in [(0, "first starts"), (1, "second starts")] {
                let Some(start) = &mut starts[n] else { continue };
                match start.step(&happened, &mut events) {
                    Step::Wait => {}
                    Step::Failed(_) => return line!(),
                    Step::Started => {
                        let Some(start) = starts[n].take() else { return 1 };
                        must!(order.push(name).is_ok());
                        (_, running[n], _) = start.into_running();
                    }
                }
            }
        }
        let expected = ["second starts", "second ends", "signal", "first starts", "first ends"];
        must!(order == expected);
        0
    });
}

/// A killed start kills its hook, and nothing of either is left.
#[test]
fn a_start_that_is_killed_takes_its_hook_along() {
    let Some(root) = Fixture::new("killed-hook") else { return };
    let slow = with_hook("sleep 1000", b"PATH=/bin\0PROBE=exit\0");
    let null = fs::open(CWD, c"/dev/null", fs::O_RDWR, 0).unwrap();
    let launch = launch(&slow, root.fd.by_ref(), null.by_ref());
    let mut pointers = Box::new([0; crate::limits::PROCESS_STRINGS_MAX]);
    // A loop that collects all children, and one that collects its own.
    for signals in [SignalSet::ALL, SignalSet::NONE] {
        let (launch, pointers) = (&launch, &mut pointers);
        alone(|| {
            let Ok(mut events) = Loop::new(signals) else { return 1 };
            let Ok(mut start) = launch::begin(launch, launch, &mut events, pointers) else {
                return line!();
            };
            let begun = time::monotonic_us();
            while start.errand.is_none() {
                let Ok(happened) = events.next_event() else { return line!() };
                must!(matches!(start.step(&happened, &mut events), Step::Wait));
            }
            start.kill();
            let failed = loop {
                let Ok(happened) = events.next_event() else { return line!() };
                match start.step(&happened, &mut events) {
                    Step::Wait => {}
                    Step::Started => return line!(),
                    Step::Failed(error) => break error,
                }
            };
            must!(failed.errno() == crate::sys::Errno::NONE);
            must!(time::monotonic_us() - begun < 60_000_000);
            // No child is left, not even one to collect.
            must!(process::wait(process::Whom::Any, false) == Err(crate::sys::Errno::ECHILD));
            0
        });
    }
}
