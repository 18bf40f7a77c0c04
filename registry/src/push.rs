//! Writes: blobs and manifests.

use crate::control::Job;
use crate::exchange::Payload;
use crate::failure::{Again, Failure, Result};
use crate::registry::{Ask, Registry, Target, scope};
use crate::retry;
use crate::transport::{Class, MANIFEST_BYTES};
use std::io::Read;
use ureq::http::Method;

/// The result of an upload.
pub enum Uploaded {
    /// The body was sent.
    Sent,
    /// The registry has it from another repository.
    Mounted,
}

fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

/// Whether the registry has a blob. Returns its bytes, or 0 if they are not told.
pub fn has(registry: &Registry, job: &Job, repository: &str, digest: &str) -> Result<u64> {
    let what = format!("blob {}… of {}/{repository}", short(digest), registry.name);
    let ask = Ask {
        what: &what,
        method: Method::HEAD,
        target: Target::Path(&format!("/v2/{repository}/blobs/{digest}")),
        headers: &[],
        scopes: &[scope(repository, true)],
    };
    retry::run(registry.pause, job, || {
        let reply = registry.ask(&ask, &mut Payload::None)?;
        match reply.status {
            200 => Ok(reply.length().unwrap_or(0)),
            // Signed URLs and some proxies refuse HEAD: then the blob is uploaded.
            403 | 405 => {
                let text = format!("{what}: HEAD is refused");
                Err(Failure::new(Class::NotThere, text).with_status(reply.status))
            }
            _ => Err(registry.refusal(reply, &what)),
        }
    })
}

/// Uploads a blob of this length, or has it mounted.
pub fn upload(
    registry: &Registry,
    job: &Job,
    repository: &str,
    digest: &str,
    length: u64,
    mount_from: &str,
) -> Result<Uploaded> {
    let what = format!("upload of blob {}… to {}/{repository}", short(digest), registry.name);
    let own = scope(repository, true);
    let start = format!("/v2/{repository}/blobs/uploads/");
    let begin = |path: &str, scopes: &[String]| {
        let ask = Ask {
            what: &what,
            method: Method::POST,
            target: Target::Path(path),
            headers: &[],
            scopes,
        };
        registry.ask(&ask, &mut Payload::None)
    };
    let mut reply = None;
    if !mount_from.is_empty() {
        let path = format!("{start}?mount={digest}&from={mount_from}");
        // Without the right to read there it is uploaded as any other.
        let tried = begin(&path, &[own.clone(), scope(mount_from, false)]);
        match tried {
            Ok(taken) if taken.status == 201 => return Ok(Uploaded::Mounted),
            Ok(taken) if taken.status == 202 => reply = Some(taken),
            _ => {}
        }
    }
    let scopes = [own];
    let mut reply = match reply {
        Some(reply) => reply,
        None => retry::run(registry.pause, job, || match begin(&start, &scopes)? {
            reply if reply.status == 202 => Ok(reply),
            reply => Err(registry.refusal(reply, &what)),
        })?,
    };
    let wrong = |text: &str| Failure::new(Class::Protocol, format!("{what}: {text}"));
    // So that the connection is used again.
    let _ = reply.read(MANIFEST_BYTES, &what);
    let location = reply.header("location").ok_or_else(|| wrong("no Location to upload to"))?;
    let address =
        reply.address.join(location).map_err(|text| wrong(&format!("to upload to: {text}")))?;
    if reply.address.tls && !address.tls {
        return Err(wrong("it is sent from https to http, which is refused"));
    }
    let address = address.with_parameter("digest", digest);
    job.begun(Some(length), "", "")?;
    let mut body = job.body(length)?;
    let ask = Ask {
        what: &what,
        method: Method::PUT,
        target: Target::Address(&address),
        headers: &[("content-type", "application/octet-stream")],
        scopes: &scopes,
    };
    let answer = registry.ask(&ask, &mut Payload::Stream(&mut body, length));
    if body.ended_early {
        let text = format!("{what}: its body ended before {length} bytes");
        return Err(Failure::new(Class::Cancelled, text));
    }
    let reply = answer.map_err(|failure| Failure { again: Again::Never, ..failure })?;
    match reply.status {
        201 | 204 => Ok(Uploaded::Sent),
        _ => Err(registry.refusal(reply, &what)),
    }
}

/// Writes a manifest of this length under a tag or digest.
pub fn put(
    registry: &Registry,
    job: &Job,
    repository: &str,
    reference: &str,
    length: u64,
    media_type: &str,
) -> Result<()> {
    let what = format!("manifest {reference} to {}/{repository}", registry.name);
    if length > MANIFEST_BYTES {
        return Err(Failure::new(Class::Length, format!("{what}: more than 4 MiB")));
    }
    job.begun(Some(length), "", "")?;
    let mut bytes = Vec::new();
    let read = job.body(length)?.read_to_end(&mut bytes);
    if read.is_err() || bytes.len() as u64 != length {
        let text = format!("{what}: its body ended before {length} bytes");
        return Err(Failure::new(Class::Cancelled, text));
    }
    let ask = Ask {
        what: &what,
        method: Method::PUT,
        target: Target::Path(&format!("/v2/{repository}/manifests/{reference}")),
        headers: &[("content-type", media_type)],
        scopes: &[scope(repository, true)],
    };
    retry::run(registry.pause, job, || {
        let reply = registry.ask(&ask, &mut Payload::Bytes(&bytes))?;
        match reply.status {
            200..=204 => Ok(()),
            _ => Err(registry.refusal(reply, &what)),
        }
    })
}
