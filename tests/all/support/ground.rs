//! One environment for all tests, set before `main`. nohup, services, cron and CI jobs pass on
//! ignored or blocked signals, a umask, a locale, a terminal and variables of their own.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A test that takes longer hangs: its process ends, with the test's name on standard error.
const LONGEST: Duration = Duration::from_secs(1500);
/// Interval of looks.
const LOOK: Duration = Duration::from_secs(2);
/// The name of the thread that looks.
const WATCHER: &str = "watcher";

/// Variables that change what tools print, or what programs do.
const UNSET: [&str; 16] = [
    "LANG",
    "LANGUAGE",
    "LC_MESSAGES",
    "LC_CTYPE",
    "TZ",
    "NO_COLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "LINES",
    "POSIXLY_CORRECT",
    "BASH_ENV",
    "ENV",
    "CDPATH",
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
];

/// Run by the C library before `main`, while there is one thread.
#[cfg(not(miri))]
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = prepare;

#[cfg_attr(miri, expect(dead_code, reason = "Miri knows no signals"))]
extern "C" fn prepare() {
    // In a unit test's container the program shows what it was given.
    if std::env::var_os("PROBE").is_some() {
        return;
    }
    // SAFETY: there is one thread, these calls take no memory but `set`, and what is set is valid
    // for each.
    unsafe {
        for number in 1..=64 {
            // Of SIGKILL and SIGSTOP it is refused; SIGPIPE is Rust's own, which ignores it and
            // resets it in children.
            libc::signal(number, libc::SIG_DFL);
        }
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut());
        libc::umask(0o022);
        // A program that reads its standard input by mistake finds an end, and no terminal.
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY);
        if null > 0 {
            libc::dup2(null, 0);
            libc::close(null);
        }
        for name in UNSET {
            std::env::remove_var(name);
        }
        std::env::set_var("LC_ALL", "C.UTF-8");
        std::env::set_var("TERM", "xterm");
    }
    let _ = std::thread::Builder::new().name(WATCHER.into()).spawn(watch);
}

/// Ends the process if one of its threads, each of which runs one test, lives too long.
fn watch() {
    let told = std::env::var("OCINIT_TEST_LONGEST").ok().and_then(|text| text.parse().ok());
    let longest = told.map_or(LONGEST, Duration::from_secs);
    let mut seen: Vec<(u32, String, Instant)> = Vec::new();
    loop {
        std::thread::sleep(LOOK);
        let tests = tests();
        seen.retain(|(task, name, _)| tests.iter().any(|test| (test.0, &test.1) == (*task, name)));
        for (task, name) in tests {
            match seen.iter().find(|one| (one.0, &one.1) == (task, &name)) {
                Some((_, _, since)) if since.elapsed() > longest => {
                    give_up(&whole_name(task).unwrap_or(name), longest)
                }
                Some(_) => {}
                None => seen.push((task, name, Instant::now())),
            }
        }
    }
}

/// The threads that run tests, by number and by their names' first fifteen bytes.
fn tests() -> Vec<(u32, String)> {
    let Ok(entries) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let numbers =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let named = numbers.filter_map(|task| {
        let name = std::fs::read_to_string(format!("/proc/self/task/{task}/comm")).ok()?;
        Some((task, name.trim_end().to_string()))
    });
    named.filter(|(task, name)| *task != std::process::id() && name != WATCHER).collect()
}

/// The name that a thread wrote in [`write_name`], and its length.
static NAME: [AtomicU8; 256] = [const { AtomicU8::new(0) }; 256];
static NAME_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Handles a signal in the thread that hangs: only that thread knows its name beyond 15 bytes.
extern "C" fn write_name(_signal: libc::c_int) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default().as_bytes();
    let name = &name[..name.len().min(NAME.len())];
    NAME.iter().zip(name).for_each(|(to, byte)| to.store(*byte, Ordering::Relaxed));
    NAME_BYTES.store(name.len(), Ordering::Release);
}

/// Returns the whole name of a thread, or `None` if it does not answer a signal.
fn whole_name(task: u32) -> Option<String> {
    let handler: extern "C" fn(libc::c_int) = write_name;
    // SAFETY: the handler takes no memory and only reads its thread's name; tgkill touches none.
    unsafe {
        libc::signal(libc::SIGUSR1, handler as libc::sighandler_t);
        libc::syscall(libc::SYS_tgkill, std::process::id(), task, libc::SIGUSR1);
    }
    std::thread::sleep(Duration::from_millis(200));
    let bytes = NAME.iter().take(NAME_BYTES.load(Ordering::Acquire));
    let name: Vec<u8> = bytes.map(|byte| byte.load(Ordering::Relaxed)).collect();
    String::from_utf8(name).ok().filter(|name| !name.is_empty())
}

/// Names the test, and ends the process with its children.
fn give_up(name: &str, longest: Duration) -> ! {
    eprintln!("the test {name} runs for more than {} seconds: it hangs", longest.as_secs());
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        let number = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        if let (Some(parent), Some(number)) = (parent, number)
            && parent == std::process::id()
        {
            children.push(number.to_string());
        }
    }
    // The children end after this process: else a test could pass when its child ends.
    let script = format!("sleep 0.5; kill -KILL {}", children.join(" "));
    let mut killer = std::process::Command::new("sh");
    killer.args(["-c", &script]).stdin(std::process::Stdio::null());
    let _ = killer.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn();
    std::process::exit(101)
}
