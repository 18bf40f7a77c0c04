//! One process: its identity, its privileges, its execve(2) and its end.

use super::fd::{Fd, FdRef};
use super::syscall::{command, syscall};
use super::{Errno, Result};
use core::ffi::{CStr, c_char, c_int};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};

pub(super) use super::capabilities::capability_sets;
pub use super::capabilities::{
    Capabilities, capabilities, clear_ambient, drop_bounding, in_bounding, keep_capabilities,
    raise_ambient, set_capabilities,
};

/// The address of main's argument vector.
static ARGV: AtomicUsize = AtomicUsize::new(0);

/// Returns the argument vector as a slice. E2BIG if it has more than `COMMAND_WORDS_MAX` words.
///
/// # Safety
/// `argv` points to `argc` NUL-terminated strings that live as long as the process, as main's do.
pub unsafe fn adopt_argv(
    argc: c_int,
    argv: *const *const c_char,
) -> Result<&'static [&'static CStr]> {
    use crate::limits::COMMAND_WORDS_MAX as MAX;
    // `None` is all zeros, so the array takes no bytes in the file.
    static ARGS: crate::sync::TryLock<[Option<&CStr>; MAX]> =
        crate::sync::TryLock::new([None; MAX]);
    let Some(mut guard) = ARGS.try_lock() else { return Ok(&[]) };
    ARGV.store(argv as usize, Ordering::Relaxed);
    let count = argc.max(0) as usize;
    if count > MAX {
        return Err(Errno::E2BIG);
    }
    for (index, place) in guard.iter_mut().take(count).enumerate() {
        // SAFETY: `index` is below `argc`, and the caller guarantees the strings.
        *place = Some(unsafe { CStr::from_ptr(*argv.add(index)) });
    }
    let args: *const &'static CStr = (&raw const *guard).cast();
    core::mem::forget(guard);
    // SAFETY: the first `count` are `Some`, which is the reference itself (Option's documentation);
    // the forgotten guard locks the array for ever.
    Ok(unsafe { core::slice::from_raw_parts(args, count) })
}

/// Returns this process's first word, by which it was called; empty if there is none.
pub fn name() -> &'static CStr {
    let first = ARGV.load(Ordering::Relaxed) as *const *const c_char;
    if first.is_null() {
        return c"";
    }
    // SAFETY: `adopt_argv` stored a NULL-terminated vector, which lives as long as the process.
    let name = unsafe { *first };
    // SAFETY: if it is not the NULL, it is a NUL-terminated string of the same life.
    if name.is_null() { c"" } else { unsafe { CStr::from_ptr(name) } }
}

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Returns the value of an environment variable.
pub fn variable(name: &[u8]) -> Option<&'static CStr> {
    // SAFETY: the start code sets it before main, and it never changes; it ends in a null pointer.
    let mut next = unsafe { environ };
    while !next.is_null() {
        // SAFETY: it points to a string's address, or to the null pointer after the last one.
        let pair = unsafe { *next };
        if pair.is_null() {
            break;
        }
        // SAFETY: a NUL-terminated string that lives as long as the process.
        let pair = unsafe { CStr::from_ptr(pair) };
        // SAFETY: not after the null pointer, which ended the loop.
        next = unsafe { next.add(1) };
        if let Some([b'=', ..]) = pair.to_bytes().strip_prefix(name) {
            return CStr::from_bytes_with_nul(&pair.to_bytes_with_nul()[name.len() + 1..]).ok();
        }
    }
    None
}

/// getpid(2).
pub fn getpid() -> i32 {
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_getpid) }.unwrap_or(0) as i32
}

/// geteuid(2).
pub fn effective_uid() -> u32 {
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_geteuid) }.unwrap_or(0) as u32
}

/// getegid(2).
pub fn effective_gid() -> u32 {
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_getegid) }.unwrap_or(0) as u32
}

/// exit_group(2): ends the process with all its threads.
pub fn exit(status: i32) -> ! {
    // SAFETY: no memory is passed; the call does not return.
    let _ = unsafe { syscall!(libc::SYS_exit_group, status) };
    // A seccomp filter may have forbidden exit_group(2).
    halt()
}

/// Ends the process without a system call: a privileged instruction is a SIGSEGV, even for PID 1.
pub fn halt() -> ! {
    loop {
        super::arch::fault();
    }
}

/// A NULL-terminated vector of NUL-terminated strings, for execve(2).
pub struct StringVector<'a> {
    first: *const usize,
    strings: PhantomData<&'a CStr>,
}

/// Fills `space` with pointers to `strings` and the NULL. Returns how many strings there are.
fn fill<'s>(space: &mut [usize], strings: impl Iterator<Item = &'s CStr>) -> Result<usize> {
    let mut count = 0;
    for string in strings {
        *space.get_mut(count).ok_or(Errno::E2BIG)? = string.as_ptr() as usize;
        count += 1;
    }
    *space.get_mut(count).ok_or(Errno::E2BIG)? = 0;
    Ok(count)
}

impl<'a> StringVector<'a> {
    /// Fills `space` with pointers to `strings`. E2BIG if they and the NULL do not fit.
    pub fn new<'s: 'a>(
        space: &'a mut [usize],
        strings: impl Iterator<Item = &'s CStr>,
    ) -> Result<StringVector<'a>> {
        fill(space, strings)?;
        Ok(StringVector { first: space.as_ptr(), strings: PhantomData })
    }

    /// Does the same for variables: of several with one name only the last is kept.
    pub fn of_variables(
        space: &'a mut [usize],
        strings: impl Iterator<Item = &'a CStr>,
    ) -> Result<StringVector<'a>> {
        let count = fill(space, strings)?;
        let name = |address: usize| {
            // SAFETY: `fill` has stored there the address of a NUL-terminated string that
            // outlives the vector.
            let bytes = unsafe { CStr::from_ptr(address as *const c_char) }.to_bytes();
            bytes.split(|byte| *byte == b'=').next().unwrap_or(bytes)
        };
        // A hash table of the kept entries, in the rest of `space`: 0 is a free slot. If it does
        // not fit, each name is compared with all.
        let (entries, rest) = space.split_at_mut(count + 1);
        let size = (count + count / 4 + 1).next_power_of_two();
        let table = rest.get_mut(..size).unwrap_or(&mut []);
        table.fill(0);
        let mut first = count;
        for at in (0..count).rev() {
            let this = name(entries[at]);
            if table.is_empty() {
                if entries[first..count].iter().any(|other| name(*other) == this) {
                    continue;
                }
            } else {
                // FNV-1a, whose high bits are the better ones.
                let hash = this.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                    (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
                });
                let mut place = (hash >> 32) as usize & (size - 1);
                while table[place] != 0 && name(table[place]) != this {
                    place = (place + 1) & (size - 1);
                }
                if table[place] != 0 {
                    continue;
                }
                table[place] = entries[at];
            }
            first -= 1;
            entries[first] = entries[at];
        }
        Ok(StringVector { first: space[first..].as_ptr(), strings: PhantomData })
    }

    /// Returns this process's arguments, its name first.
    pub fn arguments() -> StringVector<'static> {
        StringVector { first: ARGV.load(Ordering::Relaxed) as *const usize, strings: PhantomData }
    }

    /// Returns this process's environment.
    pub fn environment() -> StringVector<'static> {
        // SAFETY: the start code sets it to a NULL-terminated vector before main, and it never
        // changes.
        StringVector { first: unsafe { environ }.cast(), strings: PhantomData }
    }
}

/// execve(2). Returns only after a failure.
pub fn execute(path: &CStr, args: &StringVector<'_>, env: &StringVector<'_>) -> Errno {
    // SAFETY: `path` is NUL-terminated, and a StringVector is a NULL-terminated vector of such
    // strings.
    match unsafe { syscall!(libc::SYS_execve, path.as_ptr(), args.first, env.first) } {
        Err(errno) => errno,
        Ok(_) => Errno::NONE,
    }
}

/// execveat(2) with `AT_EMPTY_PATH`: executes the open file. Returns only after a failure.
pub fn execute_file(file: FdRef<'_>, args: &StringVector<'_>, env: &StringVector<'_>) -> Errno {
    let (args, env) = (args.first, env.first);
    // SAFETY: the path is empty and NUL-terminated, and a StringVector is a NULL-terminated vector
    // of such strings.
    match unsafe {
        syscall!(libc::SYS_execveat, file.raw(), c"".as_ptr(), args, env, libc::AT_EMPTY_PATH)
    } {
        Err(errno) => errno,
        Ok(_) => Errno::NONE,
    }
}

/// pidfd_getfd(2): returns a copy of another process's fd, close-on-exec. Needs the right to trace
/// it.
pub fn take_descriptor(process: FdRef<'_>, number: i32) -> Result<Fd> {
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_pidfd_getfd, process.raw(), number, 0) }.map(Fd::from_answer)
}

/// A child's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It called exit(3) with this status, 0 to 255.
    Exited(u8),
    /// This signal killed it.
    Killed(i32),
}

impl Ended {
    /// Returns the status in a shell's form: 128 + n for signal n.
    pub fn status(self) -> u8 {
        match self {
            Ended::Exited(status) => status,
            Ended::Killed(signal) => (128 + signal) as u8,
        }
    }
}

/// The child that [`wait`] waits for.
#[derive(Clone, Copy)]
pub enum Whom<'a> {
    /// Any child.
    Any,
    /// The child of this pidfd.
    Pidfd(FdRef<'a>),
    /// The child of this pid.
    Pid(i32),
}

/// waitid(2) `WEXITED`: collects one ended child, as (pid, end). Returns `None` if none has ended
/// and `block` is false.
pub fn wait(whom: Whom<'_>, block: bool) -> Result<Option<(i32, Ended)>> {
    let (kind, id) = match whom {
        Whom::Any => (libc::P_ALL, 0),
        Whom::Pidfd(fd) => (libc::P_PIDFD, fd.raw()),
        Whom::Pid(pid) => (libc::P_PID, pid),
    };
    let options = libc::WEXITED | libc::__WALL | if block { 0 } else { libc::WNOHANG };
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    loop {
        // SAFETY: the kernel fills at most one siginfo_t.
        match unsafe { syscall!(libc::SYS_waitid, kind, id, info.as_mut_ptr(), options, 0) } {
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    // SAFETY: zeros are a valid siginfo_t, and after waitid(2) its SIGCHLD fields are the valid
    // ones.
    let (code, pid, status) = unsafe {
        let info = info.assume_init();
        (info.si_code, info.si_pid(), info.si_status())
    };
    Ok(match (pid, code) {
        (0, _) => None,
        (pid, libc::CLD_EXITED) => Some((pid, Ended::Exited(status as u8))),
        (pid, _) => Some((pid, Ended::Killed(status))),
    })
}

/// kill(2).
pub fn kill(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_kill, pid, signal) }
}

/// pidfd_open(2), close-on-exec.
pub fn open_pidfd(pid: i32) -> Result<Fd> {
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_pidfd_open, pid, 0) }.map(Fd::from_answer)
}

/// pidfd_send_signal(2).
pub fn kill_pidfd(pidfd: FdRef<'_>, signal: i32) -> Result<()> {
    // SAFETY: no siginfo is passed.
    unsafe { command!(libc::SYS_pidfd_send_signal, pidfd.raw(), signal, 0, 0) }
}

/// setsid(2).
pub fn new_session() -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_setsid) }
}

/// setgroups(2).
pub fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: the kernel reads `groups.len()` numbers.
    unsafe { command!(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }
}

/// setresgid(2) with three equal IDs.
pub fn set_gid(gid: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_setresgid, gid, gid, gid) }
}

/// setresuid(2) with three equal IDs.
pub fn set_uid(uid: u32) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_setresuid, uid, uid, uid) }
}

/// # Safety
/// The option's arguments are numbers.
#[inline(never)]
pub(super) unsafe fn prctl(option: i32, a: u64, b: u64) -> Result<()> {
    // SAFETY: the caller guarantees the arguments.
    unsafe { command!(libc::SYS_prctl, option, a, b, 0, 0) }
}

/// keyctl(2) `KEYCTL_JOIN_SESSION_KEYRING`: replaces the inherited session keyring by a new, empty
/// one.
pub fn new_session_keyring() -> Result<()> {
    const JOIN_SESSION_KEYRING: i32 = 1;
    // SAFETY: no name is passed.
    unsafe { command!(libc::SYS_keyctl, JOIN_SESSION_KEYRING, 0) }
}

/// prctl(2) `PR_SET_NO_NEW_PRIVS`.
pub fn no_new_privileges() -> Result<()> {
    // SAFETY: numbers.
    unsafe { prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0) }
}

/// prctl(2) `PR_SET_DUMPABLE`: sets whether processes of the same user may trace us and open our
/// /proc files.
pub fn set_dumpable(on: bool) -> Result<()> {
    // SAFETY: numbers.
    unsafe { prctl(libc::PR_SET_DUMPABLE, on.into(), 0) }
}

/// prctl(2) `PR_SET_CHILD_SUBREAPER`.
pub fn set_subreaper() -> Result<()> {
    // SAFETY: numbers.
    unsafe { prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0) }
}

/// prctl(2) `PR_SET_PDEATHSIG`: sets the signal for our parent's end.
pub fn set_parent_death_signal(signal: i32) -> Result<()> {
    // SAFETY: numbers.
    unsafe { prctl(libc::PR_SET_PDEATHSIG, signal as u64, 0) }
}

/// prctl(2) `PR_SET_NAME`: sets the name in /proc/self/comm, up to 15 bytes.
pub fn set_name(name: &CStr) -> Result<()> {
    // SAFETY: `name` is NUL-terminated; the kernel reads at most 16 bytes up to its end.
    unsafe { command!(libc::SYS_prctl, libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) }
}

/// prlimit64(2): returns (soft, hard) of one `RLIMIT_*` of this process.
pub fn limit(resource: u32) -> Result<(u64, u64)> {
    let mut limits = [0u64; 2];
    // SAFETY: the kernel writes one `struct rlimit64`.
    unsafe { command!(libc::SYS_prlimit64, 0, resource, 0, limits.as_mut_ptr()) }?;
    Ok((limits[0], limits[1]))
}

/// prlimit64(2): sets (soft, hard) of one `RLIMIT_*` for this process.
pub fn set_limit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limits = [soft, hard];
    // SAFETY: the kernel reads one `struct rlimit64`.
    unsafe { command!(libc::SYS_prlimit64, 0, resource, limits.as_ptr(), 0) }
}
