//! Limits of a process: setrlimit(2), the runtime-spec's POSIXRlimit.

/// A limit `RLIMIT_*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rlimit {
    /// The number of `RLIMIT_*`.
    pub resource: u32,
    /// The soft limit, which is enforced.
    pub soft: u64,
    /// The hard limit, up to which a process may raise the soft one.
    pub hard: u64,
}

/// The kinds of [`Rlimit`] without `RLIMIT_`; the index is the number.
pub(super) const RLIMITS: &str = "CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME";

impl Rlimit {
    /// Number of kinds.
    pub const KINDS: usize = 16;

    /// Returns the kind of this name without `RLIMIT_`, in upper or lower case.
    pub fn kind(name: &[u8]) -> Option<u32> {
        let at =
            crate::io::text::words(RLIMITS).position(|known| known.eq_ignore_ascii_case(name))?;
        Some(at as u32)
    }

    /// Reads docker's notation, `nofile=1024:524288`. A single number is both limits.
    pub fn parse(text: &[u8]) -> core::result::Result<Rlimit, &'static str> {
        let at = text.iter().position(|byte| *byte == b'=').ok_or("not NAME=SOFT[:HARD]")?;
        let (name, values) = (&text[..at], &text[at + 1..]);
        let resource = Rlimit::kind(name).ok_or("there is no such limit")?;
        let mut values = values.splitn(2, |byte| *byte == b':');
        let number = |text: &[u8]| match text {
            b"-1" | b"unlimited" => Some(libc::RLIM_INFINITY),
            digits => crate::io::text::decimal(digits),
        };
        let soft = values.next().and_then(number).ok_or("not a number")?;
        let hard = values.next().map_or(Some(soft), number).ok_or("not a number")?;
        if soft > hard {
            return Err("the soft limit is above the hard one");
        }
        Ok(Rlimit { resource, soft, hard })
    }

    /// Returns its name without `RLIMIT_`.
    pub fn name(&self) -> &'static str {
        let name = crate::io::text::words(RLIMITS).nth(self.resource as usize);
        name.and_then(|name| core::str::from_utf8(name).ok()).unwrap_or("")
    }
}
