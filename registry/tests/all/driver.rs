//! The other side of the protocol: starts the program, asks, collects answers and bodies.

use ocinit_registry::sys;
use ocinit_registry::transport::{ANSWER_BYTES, Answer, Class, REQUEST_BYTES, Request, Setting};
use std::fs::File;
use std::io::{Read, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// No answer takes longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// The program: `OCINIT_REGISTRY`, or the one that cargo built with these tests. Its own variable
/// for that has a hyphen, which the shell of `linker/rustc` does not pass on.
pub fn program() -> PathBuf {
    std::env::var_os("OCINIT_REGISTRY").map_or_else(
        || std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("ocinit-registry"),
        PathBuf::from,
    )
}

/// A directory that is removed at the end.
pub struct Temporary(pub PathBuf);

impl Temporary {
    pub fn new() -> Temporary {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ocinit-registry-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Temporary(path)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An answer that owns its texts.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    Ready { landlock: bool },
    Note(String),
    Begun { length: Option<u64>, media_type: String, digest: String },
    Restarted(u64),
    Done(u64),
    Mounted,
    Failed { class: Class, status: u16, bytes: u64, text: String },
    End,
}

/// A program that runs, and its channel.
pub struct Helper {
    pub child: Child,
    socket: Option<OwnedFd>,
    answers: Receiver<(u16, Said)>,
    kept: Vec<(u16, Said)>,
    next: u16,
    /// Removed when the program has ended.
    _home: Temporary,
}

/// The body and the answers of one request.
#[derive(Debug)]
pub struct Outcome {
    pub body: Vec<u8>,
    pub answers: Vec<Said>,
}

impl Outcome {
    pub fn last(&self) -> &Said {
        self.answers.last().unwrap()
    }

    #[track_caller]
    pub fn done(&self) -> &[u8] {
        assert!(matches!(self.last(), Said::Done(_)), "{:?}", self.answers);
        &self.body
    }

    /// The class and text of the failure, which is one clean line.
    #[track_caller]
    pub fn failed(&self) -> (Class, &str) {
        let Said::Failed { class, text, bytes, .. } = self.last() else {
            panic!("no failure: {:?}", self.answers)
        };
        assert!(!text.chars().any(char::is_control) && !text.is_empty(), "{text:?}");
        assert_eq!(*bytes, self.body.len() as u64, "{text}");
        (*class, text)
    }

    pub fn notes(&self) -> Vec<&str> {
        let notes = self.answers.iter();
        notes
            .filter_map(|said| if let Said::Note(text) = said { Some(&text[..]) } else { None })
            .collect()
    }
}

/// Options and surroundings of a program that is about to start.
pub struct Start {
    options: Vec<String>,
    variables: Vec<(String, String)>,
    pub home: Temporary,
}

impl Start {
    /// Times that suit a test, an empty home, no proxies.
    pub fn new() -> Start {
        let words = ["--control", "0", "--connect", "5000", "--idle", "1000", "--pause", "50"];
        let (options, home) = (words.map(str::to_string).to_vec(), Temporary::new());
        Start { options, variables: Vec::new(), home }
    }

    pub fn option(mut self, name: &str, value: u32) -> Start {
        self.options.extend([name.to_string(), value.to_string()]);
        self
    }

    pub fn variable(mut self, name: &str, value: impl AsRef<str>) -> Start {
        self.variables.push((name.to_string(), value.as_ref().to_string()));
        self
    }

    pub fn go(self) -> Helper {
        let (ours, theirs) = sys::packet_pair().unwrap();
        let bin = self.home.0.join("bin");
        let child = Command::new(program())
            .args(&self.options)
            .env_clear()
            .env("HOME", &self.home.0)
            .env("XDG_RUNTIME_DIR", self.home.0.join("run"))
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .envs(self.variables)
            .stdin(Stdio::from(theirs))
            .spawn()
            .unwrap();
        let (sender, answers) = channel();
        let reader = ours.try_clone().unwrap();
        std::thread::spawn(move || {
            loop {
                let mut buffer = [0; ANSWER_BYTES];
                let said = match sys::receive(reader.as_fd(), &mut buffer) {
                    Ok((0, _)) | Err(_) => (0, Said::End),
                    Ok((length, None)) => said(Answer::decode(&buffer[..length]).expect("answer")),
                    Ok((_, Some(_))) => panic!("it sent an fd"),
                };
                let is_end = said.1 == Said::End;
                if sender.send(said).is_err() || is_end {
                    return;
                }
            }
        });
        let socket = Some(ours);
        Helper { child, socket, answers, kept: Vec::new(), next: 1, _home: self.home }
    }
}

fn said(answer: Answer<'_>) -> (u16, Said) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    match answer {
        Answer::Ready { landlock, .. } => (0, Said::Ready { landlock }),
        Answer::Note { id, text: note } => (id, Said::Note(text(note))),
        Answer::Begun { id, length, media_type, digest } => {
            (id, Said::Begun { length, media_type: text(media_type), digest: text(digest) })
        }
        Answer::Restarted { id, skipped } => (id, Said::Restarted(skipped)),
        Answer::Done { id, bytes } => (id, Said::Done(bytes)),
        Answer::Mounted { id } => (id, Said::Mounted),
        Answer::Failed { id, class, status, bytes, text: line } => {
            (id, Said::Failed { class, status, bytes, text: text(line) })
        }
    }
}

impl Helper {
    /// Started for one host.
    #[track_caller]
    pub fn to(host: &str, settings: &[(Setting, &Path)]) -> Helper {
        let mut helper = Start::new().go();
        helper.start(host, "team/x", settings);
        helper
    }

    /// The same without TLS.
    #[track_caller]
    pub fn plain(host: &str) -> Helper {
        Helper::to(host, &[(Setting::Insecure, Path::new(""))])
    }

    #[track_caller]
    pub fn start(&mut self, host: &str, repository: &str, settings: &[(Setting, &Path)]) {
        let ready = self.try_start(host, repository, &[], settings);
        assert!(matches!(ready, Said::Ready { .. }), "{ready:?}");
    }

    /// Names one host with its mirrors and settings, and starts.
    pub fn try_start(
        &mut self,
        host: &str,
        repository: &str,
        mirrors: &[&str],
        settings: &[(Setting, &Path)],
    ) -> Said {
        let (name, repository) = (host.as_bytes(), repository.as_bytes());
        self.send(&Request::Host { host: 0, name, repository }, None);
        for mirror in mirrors {
            self.send(&Request::Mirror { host: 0, name: mirror.as_bytes() }, None);
        }
        for (what, value) in settings {
            let value = value.as_os_str().as_encoded_bytes();
            self.send(&Request::Setting { host: 0, what: *what, value }, None);
        }
        self.send(&Request::Start { version: 1 }, None);
        self.answer(0)
    }

    pub fn send(&self, request: &Request<'_>, fd: Option<OwnedFd>) {
        let mut buffer = [0; REQUEST_BYTES];
        let packet = request.encode(&mut buffer).expect("a valid request");
        let socket = self.socket.as_ref().expect("open");
        // A program that has ended is seen by its missing answer.
        let _ = sys::send(socket.as_fd(), packet, fd.as_ref().map(|fd| fd.as_fd()));
    }

    pub fn id(&mut self) -> u16 {
        self.next += 1;
        self.next
    }

    /// The next answer to a request.
    #[track_caller]
    pub fn answer(&mut self, id: u16) -> Said {
        if let Some(at) = self.kept.iter().position(|(of, _)| *of == id) {
            return self.kept.remove(at).1;
        }
        loop {
            match self.answers.recv_timeout(DEADLINE) {
                Ok((of, said)) if of == id || said == Said::End => return said,
                Ok(other) => self.kept.push(other),
                Err(RecvTimeoutError::Timeout) => panic!("no answer to request {id}"),
                Err(RecvTimeoutError::Disconnected) => return Said::End,
            }
        }
    }

    /// Sends a request whose body we read.
    pub fn open(&mut self, request: impl FnOnce(u16) -> Request<'static>) -> (u16, File) {
        let id = self.id();
        let (reader, writer) = pipe().unwrap();
        self.send(&request(id), Some(writer.into()));
        (id, File::from(OwnedFd::from(reader)))
    }

    /// Reads a body to its end, then its answers.
    #[track_caller]
    pub fn outcome(&mut self, id: u16, mut reader: File) -> Outcome {
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        let mut answers = Vec::new();
        loop {
            answers.push(self.answer(id));
            if matches!(answers.last(), Some(Said::Done(_) | Said::Failed { .. } | Said::End)) {
                return Outcome { body, answers };
            }
        }
    }

    #[track_caller]
    pub fn manifest(&mut self, reference: &'static str) -> Outcome {
        let (host, repository, reference) = (0, &b"team/x"[..], reference.as_bytes());
        let accept =
            b"application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
        let (id, pipe) =
            self.open(|id| Request::Manifest { id, host, repository, reference, accept });
        self.outcome(id, pipe)
    }

    #[track_caller]
    pub fn blob(&mut self, offset: u64, length: u64) -> Outcome {
        let (id, pipe) = self.open_blob(offset, length);
        self.outcome(id, pipe)
    }

    pub fn open_blob(&mut self, offset: u64, length: u64) -> (u16, File) {
        let (host, repository, digest) = (0, &b"team/x"[..], BLOB.as_bytes());
        self.open(|id| Request::Blob { id, host, repository, digest, offset, length })
    }

    /// Sends a request whose body we write, if it is wanted. Returns the last answer.
    #[track_caller]
    pub fn write(&mut self, body: &[u8], request: impl FnOnce(u16) -> Request<'static>) -> Said {
        let id = self.id();
        let (reader, mut writer) = pipe().unwrap();
        self.send(&request(id), Some(reader.into()));
        let mut last = self.answer(id);
        if matches!(last, Said::Begun { .. }) {
            let _ = writer.write_all(body);
            drop(writer);
            last = self.answer(id);
        }
        last
    }

    /// Closes the channel. Returns the exit status.
    pub fn end(mut self) -> Option<i32> {
        self.hang_up();
        self.child.wait().unwrap().code()
    }

    pub fn hang_up(&mut self) {
        let socket = self.socket.take().unwrap();
        // The reading thread has the other copy.
        let socket = std::os::unix::net::UnixStream::from(socket);
        let _ = socket.shutdown(std::net::Shutdown::Both);
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The blob that servers of these tests have: its digest is not looked at.
pub const BLOB: &str = "sha256:9999999999999999999999999999999999999999999999999999999999999999";

/// Bytes that differ everywhere.
pub fn bytes(length: usize) -> Vec<u8> {
    (0..length as u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .take(length)
        .collect()
}
