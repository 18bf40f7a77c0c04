//! The action for each message of a new process in each phase of its start. Only this file decides
//! it.

use super::super::handshake::Message;
use super::{died_before_exec, forged};
use crate::spec::TAKES_CONFIGS;
use crate::sys::fd::Fd;
use crate::{Error, Result};

/// The phase of a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The process sets itself up, and asks for steps that it cannot do.
    SettingUp,
    /// The intermediate process has made the container's, and is ending.
    HandingOver,
    /// The intermediate process makes the container's, where other processes may forge its
    /// messages.
    Adopting,
    /// Other processes may have forged each message from here on.
    Entered,
    /// It may go on to execve(2).
    Ready,
    /// A created container was released: a later command receives its messages.
    Released,
    /// The same, and it may go on to execve(2).
    Executing,
    /// It is dead: its exit status comes next.
    Dying,
    /// The start has failed: its processes are killed, and their end comes next.
    Undoing,
}

impl Phase {
    /// Returns whether messages are received. If not, only the end of the channel is reported.
    pub fn hears(self) -> bool {
        !matches!(self, Phase::HandingOver | Phase::Adopting | Phase::Dying | Phase::Undoing)
    }
}

/// The action for a message.
pub enum Action {
    /// The start has failed.
    Fail(Error),
    /// Sends the listener to its receiver.
    Listener(Fd),
    /// The program was executed, unless a report says otherwise.
    Executed,
    /// The process has died; its report or its status has the reason.
    Died,
    /// The intermediate process may make the container's, and end.
    Adopt,
    /// It may execute, or wait at its start socket.
    Execute,
    /// Keeps the terminal for the caller.
    Terminal(Fd),
    /// The intermediate process counts as the container's for now.
    Place,
    /// Maps its ids.
    Map,
    /// The intermediate process ends, and this is the container's.
    HandOver(i32, Fd),
    /// Runs the hooks of the host.
    Hooks,
    /// Opens the source of the mount of this number for it.
    Lend(usize),
}

/// Returns the action. `listener_is_due` means that the filter has a listener that was not offered
/// yet.
pub fn action(phase: Phase, message: Message, listener_is_due: bool) -> Result<Action> {
    use Phase::{Entered, Executing, Ready, Released, SettingUp};
    if !TAKES_CONFIGS && !message.is_of_machine() {
        return Err(forged());
    }
    Ok(match (phase, message) {
        (_, Message::Failed(error)) => Action::Fail(error),
        (Ready | Executing, Message::End) => Action::Executed,
        (Released, Message::Ready) => Action::Execute,
        (Released | Executing, _) => return Err(died_before_exec()),
        (_, Message::Listener(listener)) if listener_is_due => Action::Listener(listener),
        (_, Message::End) => Action::Died,
        (SettingUp | Entered, Message::Ready) => Action::Execute,
        (SettingUp, Message::Clones) => Action::Adopt,
        (SettingUp, Message::Terminal(master)) => Action::Terminal(master),
        (SettingUp, Message::Placed) => Action::Place,
        (SettingUp, Message::Map) => Action::Map,
        (SettingUp, Message::Born(pid, pidfd)) => Action::HandOver(pid, pidfd),
        (SettingUp, Message::Hooks) => Action::Hooks,
        (SettingUp, Message::Source(index)) => Action::Lend(index),
        (SettingUp, _) => {
            return Err(Error::new(format_args!("the container said what is not its turn")));
        }
        _ => return Err(forged()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd;

    fn file() -> Fd {
        fd::pipe().unwrap().0
    }

    /// Returns all messages, in one order.
    fn all() -> Vec<Message> {
        vec![
            Message::Terminal(file()),
            Message::Map,
            Message::Born(7, file()),
            Message::Placed,
            Message::Clones,
            Message::Source(3),
            Message::Lent(file()),
            Message::Hooks,
            Message::Listener(file()),
            Message::Ready,
            Message::Failed(Error::new(format_args!("x"))),
            Message::End,
        ]
    }

    /// Returns a letter for each action: `-` is an error.
    fn row(phase: Phase, listener_is_due: bool) -> String {
        let letter = |message| match action(phase, message, listener_is_due) {
            Err(_) => '-',
            Ok(Action::Fail(_)) => 'F',
            Ok(Action::Listener(_)) => 'L',
            Ok(Action::Executed) => 'X',
            Ok(Action::Died) => 'D',
            Ok(Action::Adopt) => 'A',
            Ok(Action::Execute) => 'E',
            Ok(Action::Terminal(_)) => 'T',
            Ok(Action::Place) => 'P',
            Ok(Action::Map) => 'M',
            Ok(Action::HandOver(7, _)) => 'B',
            Ok(Action::HandOver(..)) => '?',
            Ok(Action::Hooks) => 'H',
            Ok(Action::Lend(_)) => 'S',
        };
        all().into_iter().map(letter).collect()
    }

    #[test]
    fn each_message_has_one_meaning_in_each_phase() {
        for (phase, expected, with_listener) in [
            (Phase::SettingUp, "TMBPAS-H-EFD", "TMBPAS-HLEFD"),
            // Other processes may have forged these, so nothing is done for them.
            (Phase::Entered, "---------EFD", "--------LEFD"),
            (Phase::Ready, "----------FX", "--------L-FX"),
            (Phase::Released, "---------EF-", "---------EF-"),
            (Phase::Executing, "----------FX", "----------FX"),
        ] {
            assert_eq!(row(phase, false), expected, "{phase:?}");
            assert_eq!(row(phase, true), with_listener, "{phase:?}");
        }
    }
}
