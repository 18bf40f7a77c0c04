use super::*;
use crate::sys::clone::{self, Side};
use crate::sys::{fd, fs, process};

fn pipe() -> (Fd, Fd) {
    fd::pipe().unwrap()
}

/// Makes a child that ends with this status once the returned pipe is closed.
fn child(status: i32) -> (i32, Fd, Fd) {
    let (heard, said) = pipe();
    match clone::fork(0, None).unwrap() {
        Side::Child => {
            drop(said);
            let _ = fs::read(heard.by_ref(), &mut [0]);
            process::exit(status)
        }
        Side::Parent(pid, pidfd) => (pid, pidfd, said),
    }
}

/// Runs `check` in a process of its own with all signals blocked, because a test's process has
/// threads. `check` returns the number of the wrong line, or 0.
fn alone(check: fn() -> u32) {
    match clone::fork(0, None).unwrap() {
        Side::Child => {
            signal::set_mask(SignalSet::ALL).unwrap();
            process::exit(check() as i32)
        }
        Side::Parent(pid, _) => {
            let (_, ended) = process::wait(process::Whom::Pid(pid), true).unwrap().unwrap();
            assert_eq!(ended, Ended::Exited(0), "the line is modulo 256");
        }
    }
}

macro_rules! must {
    ($condition:expr) => {
        if !$condition {
            return line!() % 256;
        }
    };
}

#[test]
fn an_fd_is_ready_when_there_is_something_and_by_its_own_token() {
    let mut events = Loop::new(SignalSet::NONE).unwrap();
    let (heard, said) = pipe();
    let (other, _keeps) = pipe();
    let read = events.add(heard.by_ref(), Interest::READ).unwrap();
    let silent = events.add(other.by_ref(), Interest::READ).unwrap();
    events.wait(Some(0)).unwrap();
    assert_eq!(events.take().unwrap(), None);
    fs::write_all(said.by_ref(), b"x").unwrap();
    assert_eq!(events.next_event().unwrap(), Happened::Ready(read, Interest::READ));
    // Level-triggered: reported again until it is read.
    assert_eq!(events.next_event().unwrap(), Happened::Ready(read, Interest::READ));
    events.change(read, Interest::NONE).unwrap();
    events.wait(Some(0)).unwrap();
    assert_eq!(events.take().unwrap(), None);
    assert_ne!(read, silent);
}

#[test]
fn a_hang_up_counts_as_readable() {
    let mut events = Loop::new(SignalSet::NONE).unwrap();
    let (heard, said) = pipe();
    let token = events.add(heard.by_ref(), Interest::READ).unwrap();
    drop(said);
    let Happened::Ready(told, what) = events.next_event().unwrap() else { panic!("not ready") };
    assert!(told == token && what.is_readable() && !what.has(Interest::READ));
}

#[test]
fn a_file_that_epoll_does_not_take_is_always_ready() {
    let mut events = Loop::new(SignalSet::NONE).unwrap();
    let null = fs::open(fd::CWD, c"/dev/null", fs::O_RDONLY, 0).unwrap();
    let (heard, said) = pipe();
    let always = events.add(null.by_ref(), Interest::READ).unwrap();
    let other = events.add(heard.by_ref(), Interest::READ).unwrap();
    assert_eq!(events.next_event().unwrap(), Happened::Ready(always, Interest::READ));
    // It does not delay the other one.
    fs::write_all(said.by_ref(), b"x").unwrap();
    assert_eq!(events.next_event().unwrap(), Happened::Ready(other, Interest::READ));
    assert_eq!(events.next_event().unwrap(), Happened::Ready(always, Interest::READ));
    events.change(always, Interest::NONE).unwrap();
    assert_eq!(events.next_event().unwrap(), Happened::Ready(other, Interest::READ));
    assert_eq!(events.take().unwrap(), None);
}

#[test]
fn a_child_is_collected_once_and_its_row_is_gone() {
    let mut events = Loop::new(SignalSet::NONE).unwrap();
    let (pid, pidfd, said) = child(7);
    let token = events.process(pid, pidfd.by_ref()).unwrap();
    events.wait(Some(0)).unwrap();
    assert_eq!(events.take().unwrap(), None);
    drop(said);
    assert_eq!(events.next_event().unwrap(), Happened::Ended(token, Ended::Exited(7)));
    assert_eq!(children::ended_of(pid), Err(Errno::ECHILD));
    assert!(events.row_of(token).is_none());
    events.wait(Some(0)).unwrap();
    assert_eq!(events.take().unwrap(), None);
}

#[test]
fn signals_have_their_senders_and_orphans_vanish() {
    alone(|| {
        let Ok(mut events) = Loop::new(SignalSet::ALL) else { return 1 };
        let us = process::getpid();
        must!(process::kill(us, libc::SIGTERM).is_ok());
        must!(events.next_event().ok() == Some(Happened::Signal(libc::SIGTERM, us)));
        // One SIGCHLD stands for all of them.
        let (orphan, _orphan_fd, orphan_said) = child(1);
        let (pid, pidfd, said) = child(9);
        let Ok(token) = events.process(pid, pidfd.by_ref()) else { return 1 };
        drop(orphan_said);
        // The second child's end is reported only after the first one's.
        let _ = event::wait_ms(50);
        drop(said);
        must!(events.next_event().ok() == Some(Happened::Ended(token, Ended::Exited(9))));
        while events.take().ok() != Some(None) {}
        must!(events.wait(Some(100)).is_ok() && events.take().ok() == Some(None));
        must!(children::ended_of(orphan) == Err(Errno::ECHILD));
        0
    });
}

#[test]
fn times_come_in_their_order_and_not_before() {
    let mut events = Loop::new(SignalSet::NONE).unwrap();
    let begin = time::monotonic_us();
    let later = events.after(60).unwrap();
    let sooner = events.after(20).unwrap();
    let never = events.after(u64::MAX).unwrap();
    let gone = events.after(1).unwrap();
    events.remove(gone);
    assert_eq!(events.next_event().unwrap(), Happened::Due(sooner));
    assert!(time::monotonic_us() - begin >= 20_000);
    assert_eq!(events.next_event().unwrap(), Happened::Due(later));
    assert!(time::monotonic_us() - begin >= 60_000);
    events.wait(Some(10)).unwrap();
    assert_eq!(events.take().unwrap(), None);
    assert!(events.row_of(never).is_some() && events.row_of(sooner).is_none());
}

#[test]
fn what_is_removed_while_its_event_waits_is_not_told() {
    let mut events = Loop::new(SignalSet::NONE).unwrap();
    let pipes: Vec<_> = (0..3).map(|_| pipe()).collect();
    let tokens: Vec<_> = pipes
        .iter()
        .map(|(heard, said)| {
            fs::write_all(said.by_ref(), b"x").unwrap();
            events.add(heard.by_ref(), Interest::READ).unwrap()
        })
        .collect();
    let Happened::Ready(first, _) = events.next_event().unwrap() else { panic!("not ready") };
    let second = tokens.iter().copied().find(|token| *token != first).unwrap();
    events.remove(second);
    // Its row is reused at once, by a fd that is not ready.
    let (silent, _keeps) = pipe();
    let new = events.add(silent.by_ref(), Interest::READ).unwrap();
    assert!(new.row == second.row && new != second);
    let mut told = vec![first];
    while let Some(happened) = events.take().unwrap() {
        let Happened::Ready(token, _) = happened else { panic!("not ready") };
        told.push(token);
    }
    assert_eq!(told.len(), 2);
    assert!(!told.contains(&second) && !told.contains(&new));
    // An old token does not affect the row's new owner.
    events.remove(second);
    events.change(second, Interest::NONE).unwrap();
    assert!(events.row_of(new).is_some());
}

#[test]
fn the_number_of_a_closed_file_may_come_again() {
    let mut events = Loop::new(SignalSet::NONE).unwrap();
    let (heard, said) = pipe();
    let number = heard.raw();
    let old = events.add(heard.by_ref(), Interest::READ).unwrap();
    drop(heard);
    let (other, other_said) = pipe();
    let again = fd::duplicate(other.by_ref(), number).unwrap();
    if again.raw() != number {
        // Another test's thread has taken it.
        return;
    }
    let new = events.add(again.by_ref(), Interest::READ).unwrap();
    events.remove(old);
    fs::write_all(other_said.by_ref(), b"x").unwrap();
    assert_eq!(events.next_event().unwrap(), Happened::Ready(new, Interest::READ));
    drop(said);
}

#[test]
fn one_row_too_many_is_an_error_that_names_the_limit() {
    let mut events = Loop::new(SignalSet::NONE).unwrap();
    let tokens: Vec<_> = (0..WATCHED_MAX).map(|_| events.after(u64::MAX).unwrap()).collect();
    let error = events.after(1).unwrap_err().to_string();
    assert_eq!(error, "more than 64 files, processes and times to wait for (WATCHED_MAX)");
    let (heard, _said) = pipe();
    assert!(events.add(heard.by_ref(), Interest::READ).is_err());
    events.remove(tokens[17]);
    assert_eq!(events.add(heard.by_ref(), Interest::READ).unwrap().row, 17);
}

#[test]
fn a_turn_tells_all_that_happened_and_nothing_twice() {
    let mut events = Loop::new(SignalSet::NONE).unwrap();
    let pipes: Vec<_> = (0..WATCHED_MAX - 2).map(|_| pipe()).collect();
    let mut expected: Vec<_> = pipes
        .iter()
        .map(|(heard, said)| {
            fs::write_all(said.by_ref(), b"x").unwrap();
            events.add(heard.by_ref(), Interest::READ).unwrap()
        })
        .collect();
    let (pid, pidfd, said) = child(3);
    let process = events.process(pid, pidfd.by_ref()).unwrap();
    drop(said);
    event::poll_one(pidfd.by_ref(), libc::POLLIN, -1).unwrap();
    let due = events.after(0).unwrap();
    events.wait(None).unwrap();
    // A second wait within a turn begins no new turn.
    events.wait(None).unwrap();
    let (mut ends, mut dues) = (0, 0);
    while let Some(happened) = events.take().unwrap() {
        match happened {
            Happened::Ready(token, _) => {
                let at = expected.iter().position(|other| *other == token).expect("twice");
                expected.swap_remove(at);
            }
            Happened::Ended(token, ended) => {
                assert_eq!((token, ended), (process, Ended::Exited(3)));
                ends += 1;
            }
            Happened::Due(token) => {
                assert_eq!(token, due);
                dues += 1;
            }
            Happened::Signal(..) => panic!("a signal"),
        }
    }
    assert_eq!((expected.len(), ends, dues), (0, 1, 1));
}

#[test]
fn a_flood_of_signals_starves_nobody() {
    alone(|| {
        let Ok(mut events) = Loop::new(SignalSet::ALL) else { return 1 };
        let us = process::getpid();
        // Real-time signals queue one by one.
        for _ in 0..200 {
            must!(process::kill(us, 40).is_ok());
        }
        let (heard, said) = pipe();
        let Ok(token) = events.add(heard.by_ref(), Interest::READ) else { return line!() % 256 };
        must!(fs::write_all(said.by_ref(), b"x").is_ok());
        let Ok(due) = events.after(0) else { return line!() % 256 };
        must!(events.wait(None).is_ok());
        let (mut signals, mut ready, mut dues) = (0, 0, 0);
        while let Ok(Some(happened)) = events.take() {
            match happened {
                Happened::Signal(40, _) => signals += 1,
                Happened::Ready(told, _) if told == token => ready += 1,
                Happened::Due(told) if told == due => dues += 1,
                _ => return line!() % 256,
            }
        }
        must!((signals, ready, dues) == (64, 1, 1));
        events.remove(token);
        while signals < 200 {
            must!(events.next_event().ok() == Some(Happened::Signal(40, us)));
            signals += 1;
        }
        must!(events.wait(Some(0)).is_ok() && events.take().ok() == Some(None));
        0
    });
}
