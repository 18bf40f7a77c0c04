//! The messages between ocinit and its transport helper, `ocinit-registry`.
//!
//! ```text
//!  ocinit                                          ocinit-registry --control FD
//!    |  ------- Host 0, Mirror of 0, Setting of 0, Host 1 ... ->
//!    |  ------- Start: version ----------------------> reads credentials and certificates, then
//!    |  <------ Ready: version, or Failed 0 ---------- drops every right that it needs no more
//!    |
//!    |  ------- Manifest, Blob, Tags + pipe to fill -->  (several at once, each with an id)
//!    |  <------ Note ----------------------------------  it waits, tries again (any number)
//!    |  <------ Begun: media type, length, digest ----
//!    |  ~~~~~~~ the body, through the pipe ~~~~~~~~~~~
//!    |  <------ Restarted ----------------------------   the server begins again at byte 0
//!    |  <------ Done: bytes, or Failed ---------------
//!    |  ~~~~~~~ end of file on the pipe ~~~~~~~~~~~~~~
//!    |
//!    |  ------- Has ---------------------------------->
//!    |  <------ Done: bytes, or Failed ---------------
//!    |  ------- Upload, Put + pipe to drain ---------->
//!    |  <------ Begun, then Done; or Mounted; or Failed
//!    x  end of file ---------------------------------> it ends at once
//! ```
//!
//! The channel is a socket of type `SOCK_SEQPACKET`: a packet is a message. A request that has a
//! body carries one end of a pipe (`SCM_RIGHTS`); bodies never stand in messages.
//!
//! Three rules give the order. `Begun` precedes the first byte of a body. `Done` or `Failed`
//! precedes the end of file on the pipe, so a reader at the end of file finds it in the channel.
//! A reader that closes its end of the pipe cancels the request, which then fails with
//! [`Class::Cancelled`].
//!
//! After a cut the helper resumes by itself. If the server cannot resume, the helper skips the
//! bytes that the pipe has had, and says `Restarted`; the pipe's bytes stay one body.
//!
//! The helper checks lengths alone. ocinit trusts neither its bytes nor its words.
//!
//! A message is a header (kind, host, id, two numbers, little-endian) and three texts, each behind
//! its length. This file needs `core` alone, because the helper includes it by its path.

/// The version of this protocol. Both sides must have the same.
pub const VERSION: u16 = 1;
/// One request, in bytes: the longest has a path of PATH_MAX.
pub const REQUEST_BYTES: usize = 4608;
/// One answer, in bytes: the longest has a line of text.
pub const ANSWER_BYTES: usize = 1024;
/// The path of a setting, in bytes (PATH_MAX).
pub const PATH_BYTES: usize = 4096;
/// The host with its port, or a repository's path, in bytes (distribution-spec: 255 together).
pub const NAME_BYTES: usize = 255;
/// A tag or digest, in bytes: `sha512:` and 128 digits.
pub const REFERENCE_BYTES: usize = 140;
/// Media types that are asked for, with commas, in bytes.
pub const ACCEPT_BYTES: usize = 1024;
/// One media type, in bytes (RFC 6838: 127 on each side of the slash).
pub const MEDIA_TYPE_BYTES: usize = 255;
/// The line of a note or an error, in bytes.
pub const TEXT_BYTES: usize = 600;
/// Hosts of one conversation, each with its mirrors: `copy` has two.
pub const HOSTS_MAX: usize = 4;
/// Mirrors of one host.
pub const MIRRORS_MAX: usize = 4;
/// Requests that are open at the same time. One more fails with [`Class::Busy`].
pub const REQUESTS_MAX: usize = 16;
/// One manifest or index, in bytes: ocinit's limit for a document, and the specification's.
pub const MANIFEST_BYTES: u64 = 4 << 20;

/// Stands for a length that the server does not tell.
const UNKNOWN: u64 = u64::MAX;

#[path = "transport/packet.rs"]
mod packet;
#[cfg(test)]
#[path = "transport/tests.rs"]
mod tests;

use packet::{Packet, TEXTS};

/// A setting of a host, sent before the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Setting {
    /// `--tls-verify=false`: any certificate, and http if there is no TLS. No value.
    Insecure = 1,
    /// `--authfile`: the one file with credentials that is read.
    AuthFile = 2,
    /// `--creds-file`: a file with one line, `USER:PASSWORD`.
    CredsFile = 3,
    /// `--cert-dir`: a directory with `*.crt`, `*.cert` and `*.key`.
    CertDir = 4,
}

/// From ocinit to the helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Fields are what their names say.
#[allow(missing_docs)]
pub enum Request<'a> {
    /// Names the host that requests call by this number: `docker.io`, `localhost:5000`. The
    /// credentials for this repository are looked up.
    Host { host: u8, name: &'a [u8], repository: &'a [u8] },
    /// A host that is asked before this one, where something is read.
    Mirror { host: u8, name: &'a [u8] },
    /// A setting of this host and its mirrors.
    Setting { host: u8, what: Setting, value: &'a [u8] },
    /// All hosts and settings are told.
    Start { version: u16 },
    /// A manifest or index by tag or digest, into the pipe.
    Manifest { id: u16, host: u8, repository: &'a [u8], reference: &'a [u8], accept: &'a [u8] },
    /// A blob of this length from this offset on, into the pipe.
    Blob { id: u16, host: u8, repository: &'a [u8], digest: &'a [u8], offset: u64, length: u64 },
    /// The repository's tags into the pipe, one a line.
    Tags { id: u16, host: u8, repository: &'a [u8] },
    /// Asks whether a blob is there.
    Has { id: u16, host: u8, repository: &'a [u8], digest: &'a [u8] },
    /// A blob of this length from the pipe, unless it is mounted from another repository (empty:
    /// none). The body is written after `Begun`.
    Upload {
        id: u16,
        host: u8,
        repository: &'a [u8],
        digest: &'a [u8],
        length: u64,
        mount_from: &'a [u8],
    },
    /// A manifest of this length from the pipe.
    Put {
        id: u16,
        host: u8,
        repository: &'a [u8],
        reference: &'a [u8],
        length: u64,
        media_type: &'a [u8],
    },
}

/// The class of a failure. The text has the reason in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// 404: there is no such manifest, blob or repository, or the registry hides it.
    NotThere = 1,
    /// 401, 403: credentials are missing, wrong or expired.
    NotAllowed = 2,
    /// The name has no address.
    NoHost = 3,
    /// Nothing answers at the address.
    NoAnswer = 4,
    /// Neither a byte came nor went for too long.
    TimedOut = 5,
    /// The certificate does not fit, or TLS failed.
    Certificate = 6,
    /// The connection ended in the middle, more often than is tried again.
    Cut = 7,
    /// 429.
    TooMany = 8,
    /// More or fewer bytes than was said.
    Length = 9,
    /// An answer that a registry does not give.
    Protocol = 10,
    /// 5xx.
    Server = 11,
    /// A file with credentials or certificates cannot be read, or a credential helper failed.
    Settings = 12,
    /// ocinit closed its end of the pipe.
    Cancelled = 13,
    /// [`REQUESTS_MAX`] are open.
    Busy = 14,
}

/// From the helper to ocinit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Fields are what their names say.
#[allow(missing_docs)]
pub enum Answer<'a> {
    /// It has no more rights than it needs. `landlock`: the kernel has Landlock.
    Ready { version: u16, landlock: bool },
    /// A line for the user: it waits, it tries again, a mirror is left out.
    Note { id: u16, text: &'a [u8] },
    /// The body follows. Of a manifest: what the server says of it.
    Begun { id: u16, length: Option<u64>, media_type: &'a [u8], digest: &'a [u8] },
    /// The server cannot resume: these bytes come again, and are skipped.
    Restarted { id: u16, skipped: u64 },
    /// The whole body went through the pipe, or the blob is there: its bytes, 0 if unknown.
    Done { id: u16, bytes: u64 },
    /// The registry took the blob from the other repository. No body is wanted.
    Mounted { id: u16 },
    /// It failed after so many bytes of the body. `status` is HTTP's, or 0.
    Failed { id: u16, class: Class, status: u16, bytes: u64, text: &'a [u8] },
}

/// The reason for which a packet is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It ends too early or too late.
    Size,
    /// An unknown kind, setting or class.
    Kind,
    /// A field that this kind does not have.
    Field,
    /// A text is longer than its limit.
    Long,
}

const HOST: u8 = 1;
const MIRROR: u8 = 2;
const SETTING: u8 = 3;
const START: u8 = 4;
const MANIFEST: u8 = 5;
const BLOB: u8 = 6;
const TAGS: u8 = 7;
const HAS: u8 = 8;
const UPLOAD: u8 = 9;
const PUT: u8 = 10;
const READY: u8 = 65;
const NOTE: u8 = 66;
const BEGUN: u8 = 67;
const RESTARTED: u8 = 68;
const DONE: u8 = 69;
const MOUNTED: u8 = 70;
const FAILED: u8 = 71;

/// The limits of each kind's texts.
fn limits(kind: u8) -> Option<[usize; TEXTS]> {
    Some(match kind {
        HOST => [NAME_BYTES, NAME_BYTES, 0],
        MIRROR => [NAME_BYTES, 0, 0],
        SETTING => [PATH_BYTES, 0, 0],
        START | READY | RESTARTED | DONE | MOUNTED => [0; TEXTS],
        MANIFEST => [NAME_BYTES, REFERENCE_BYTES, ACCEPT_BYTES],
        BLOB | HAS => [NAME_BYTES, REFERENCE_BYTES, 0],
        TAGS => [NAME_BYTES, 0, 0],
        UPLOAD => [NAME_BYTES, REFERENCE_BYTES, NAME_BYTES],
        PUT => [NAME_BYTES, REFERENCE_BYTES, MEDIA_TYPE_BYTES],
        NOTE | FAILED => [TEXT_BYTES, 0, 0],
        BEGUN => [MEDIA_TYPE_BYTES, REFERENCE_BYTES, 0],
        _ => return None,
    })
}

const SETTINGS: [Setting; 4] =
    [Setting::Insecure, Setting::AuthFile, Setting::CredsFile, Setting::CertDir];

const CLASSES: [Class; 14] = [
    Class::NotThere,
    Class::NotAllowed,
    Class::NoHost,
    Class::NoAnswer,
    Class::TimedOut,
    Class::Certificate,
    Class::Cut,
    Class::TooMany,
    Class::Length,
    Class::Protocol,
    Class::Server,
    Class::Settings,
    Class::Cancelled,
    Class::Busy,
];

/// Reads a packet whose texts are within the limits of its kind.
fn read(bytes: &[u8]) -> Result<Packet<'_>, Malformed> {
    let packet = Packet::read(bytes)?;
    packet.limits(limits(packet.kind).ok_or(Malformed::Kind)?)?;
    Ok(packet)
}

/// Returns the bytes of a packet whose texts are within the limits of its kind.
fn write<'b>(packet: &Packet<'_>, buffer: &'b mut [u8]) -> Result<&'b [u8], Malformed> {
    packet.limits(limits(packet.kind).ok_or(Malformed::Kind)?)?;
    packet.write(buffer)
}

impl<'a> Request<'a> {
    /// Returns the request in a packet, or why it is none.
    pub fn decode(bytes: &'a [u8]) -> Result<Request<'a>, Malformed> {
        let packet = read(bytes)?;
        let Packet { host, id, numbers: [first, second], texts: [one, two, three], .. } = packet;
        let what = || SETTINGS.into_iter().find(|what| u64::from(*what as u8) == first);
        let request = match packet.kind {
            HOST => Request::Host { host, name: one, repository: two },
            MIRROR => Request::Mirror { host, name: one },
            SETTING => Request::Setting { host, what: what().ok_or(Malformed::Kind)?, value: one },
            START => Request::Start { version: id },
            MANIFEST => {
                Request::Manifest { id, host, repository: one, reference: two, accept: three }
            }
            BLOB => Request::Blob {
                id,
                host,
                repository: one,
                digest: two,
                offset: first,
                length: second,
            },
            TAGS => Request::Tags { id, host, repository: one },
            HAS => Request::Has { id, host, repository: one, digest: two },
            UPLOAD => Request::Upload {
                id,
                host,
                repository: one,
                digest: two,
                length: first,
                mount_from: three,
            },
            PUT => Request::Put {
                id,
                host,
                repository: one,
                reference: two,
                length: first,
                media_type: three,
            },
            _ => return Err(Malformed::Kind),
        };
        if request.packet() == packet { Ok(request) } else { Err(Malformed::Field) }
    }

    /// Returns the request's packet in `buffer`, which [`REQUEST_BYTES`] fill at most.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], Malformed> {
        write(&self.packet(), buffer)
    }

    fn packet(&self) -> Packet<'a> {
        let of = |kind, host, id, numbers, texts| Packet { kind, host, id, numbers, texts };
        let none: &[u8] = &[];
        match *self {
            Request::Host { host, name, repository } => {
                of(HOST, host, 0, [0, 0], [name, repository, none])
            }
            Request::Mirror { host, name } => of(MIRROR, host, 0, [0, 0], [name, none, none]),
            Request::Setting { host, what, value } => {
                of(SETTING, host, 0, [u64::from(what as u8), 0], [value, none, none])
            }
            Request::Start { version } => of(START, 0, version, [0, 0], [none; TEXTS]),
            Request::Manifest { id, host, repository, reference, accept } => {
                of(MANIFEST, host, id, [0, 0], [repository, reference, accept])
            }
            Request::Blob { id, host, repository, digest, offset, length } => {
                of(BLOB, host, id, [offset, length], [repository, digest, none])
            }
            Request::Tags { id, host, repository } => {
                of(TAGS, host, id, [0, 0], [repository, none, none])
            }
            Request::Has { id, host, repository, digest } => {
                of(HAS, host, id, [0, 0], [repository, digest, none])
            }
            Request::Upload { id, host, repository, digest, length, mount_from } => {
                of(UPLOAD, host, id, [length, 0], [repository, digest, mount_from])
            }
            Request::Put { id, host, repository, reference, length, media_type } => {
                of(PUT, host, id, [length, 0], [repository, reference, media_type])
            }
        }
    }
}

impl<'a> Answer<'a> {
    /// Returns the answer in a packet, or why it is none.
    pub fn decode(bytes: &'a [u8]) -> Result<Answer<'a>, Malformed> {
        let packet = read(bytes)?;
        let Packet { host, id, numbers: [first, second], texts: [one, two, _], .. } = packet;
        let class = || CLASSES.into_iter().find(|class| *class as u8 == host);
        let answer = match packet.kind {
            READY => Answer::Ready { version: id, landlock: first == 1 },
            NOTE => Answer::Note { id, text: one },
            BEGUN => {
                let length = if first == UNKNOWN { None } else { Some(first) };
                Answer::Begun { id, length, media_type: one, digest: two }
            }
            RESTARTED => Answer::Restarted { id, skipped: first },
            DONE => Answer::Done { id, bytes: first },
            MOUNTED => Answer::Mounted { id },
            FAILED => Answer::Failed {
                id,
                class: class().ok_or(Malformed::Kind)?,
                status: u16::try_from(second).map_err(|_| Malformed::Field)?,
                bytes: first,
                text: one,
            },
            _ => return Err(Malformed::Kind),
        };
        if answer.packet() == packet { Ok(answer) } else { Err(Malformed::Field) }
    }

    /// Returns the answer's packet in `buffer`, which [`ANSWER_BYTES`] fill at most.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], Malformed> {
        write(&self.packet(), buffer)
    }

    fn packet(&self) -> Packet<'a> {
        let of = |kind, host, id, numbers, texts| Packet { kind, host, id, numbers, texts };
        let none: &[u8] = &[];
        match *self {
            Answer::Ready { version, landlock } => {
                of(READY, 0, version, [u64::from(landlock), 0], [none; TEXTS])
            }
            Answer::Note { id, text } => of(NOTE, 0, id, [0, 0], [text, none, none]),
            Answer::Begun { id, length, media_type, digest } => {
                of(BEGUN, 0, id, [length.unwrap_or(UNKNOWN), 0], [media_type, digest, none])
            }
            Answer::Restarted { id, skipped } => of(RESTARTED, 0, id, [skipped, 0], [none; TEXTS]),
            Answer::Done { id, bytes } => of(DONE, 0, id, [bytes, 0], [none; TEXTS]),
            Answer::Mounted { id } => of(MOUNTED, 0, id, [0, 0], [none; TEXTS]),
            Answer::Failed { id, class, status, bytes, text } => {
                of(FAILED, class as u8, id, [bytes, u64::from(status)], [text, none, none])
            }
        }
    }
}
