//! The record of the boot: each phase with its times, for the log and for the host.

use super::control::Control;
use super::supervise::Outcome;
use crate::error::Error;
use crate::limits::PHASES_MAX;
use crate::sys::time;

/// One phase: its name, start and end, in microseconds of the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    name: &'static str,
    start_us: u64,
    end_us: u64,
}

/// The record, and the host that gets it if there is one.
pub struct Report {
    phases: heapless::Vec<Phase, PHASES_MAX>,
    /// Number of phases that the host has received.
    told: usize,
    since_us: u64,
    /// The host has received an error. It gets only one.
    told_error: bool,
    /// The control port, once it is open.
    pub control: Option<Control>,
}

impl Report {
    /// Returns a record whose first phase begins now.
    pub fn new() -> Report {
        Report {
            phases: heapless::Vec::new(),
            told: 0,
            since_us: time::monotonic_us(),
            told_error: false,
            control: None,
        }
    }

    /// Ends the present phase under this name, and begins the next one.
    pub fn end_of(&mut self, name: &'static str) {
        let end_us = time::monotonic_us();
        let phase = Phase { name, start_us: self.since_us, end_us };
        self.since_us = end_us;
        crate::debug!("phase {name}: {} us", end_us - phase.start_us);
        if self.phases.push(phase).is_err() {
            crate::warning!("more than {PHASES_MAX} phases, {name} is not reported");
        }
        self.tell_phases();
    }

    /// Connects the host, and sends it the phases so far.
    pub fn set_control(&mut self, control: Control) {
        self.control = Some(control);
        self.tell_phases();
    }

    fn tell_phases(&mut self) {
        let Some(control) = &mut self.control else { return };
        for Phase { name, start_us, end_us } in &self.phases[self.told..] {
            control.send(format_args!("phase {name} {start_us} {end_us}"));
        }
        self.told = self.phases.len();
    }

    /// Reports that the container's process was executed.
    pub fn started(&mut self) {
        if let Some(control) = &mut self.control {
            control.send(format_args!("started"));
        }
    }

    /// Reports the reason why no container runs.
    pub fn error(&mut self, error: &Error) {
        crate::error!("{error}");
        if let Some(control) = self.control.as_mut().filter(|_| !self.told_error) {
            self.told_error = true;
            control.send(format_args!("error {error}"));
        }
    }

    /// Sends the exit status and waits until the host has it. Without a host it is the console's
    /// last line.
    pub fn exit(&mut self, outcome: &Outcome) {
        let Outcome { status, stdout, stderr, within_line } = *outcome;
        let status = u32::from(status);
        match &mut self.control {
            Some(control) => {
                control.send(format_args!("exit {status} {stdout} {stderr}"));
                control.wait_for_done();
            }
            None => {
                let before = if within_line { "\n" } else { "" };
                super::early::say_last_on_console(format_args!(
                    "{before}ocinit: exit status {status}\n"
                ));
            }
        }
    }
}

impl Default for Report {
    fn default() -> Report {
        Report::new()
    }
}
