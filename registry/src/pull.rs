//! Reads: manifests, blobs, lists of tags.
//!
//! Mirrors are asked in turn, then the registry itself, whose failure is the one that is told.

use crate::control::Job;
use crate::exchange::{Payload, Reply, cut};
use crate::failure::{Again, Failure, Result};
use crate::json::Json;
use crate::registry::{Ask, Registry, Target, scope};
use crate::retry::{self, Retry};
use crate::transport::{Class, MANIFEST_BYTES, MEDIA_TYPE_BYTES, REFERENCE_BYTES};
use std::io::Read;
use std::sync::atomic::Ordering;
use ureq::http::Method;

/// Tags of one repository, in bytes together.
const TAGS_BYTES: usize = 16 << 20;
/// Pages of a list of tags.
const PAGES_MAX: usize = 1000;
/// Bytes of a blob that are read at once.
const READ_BYTES: usize = 64 << 10;

/// Does this with each source in turn until one has it.
fn from_first<T>(
    sources: &[Registry],
    job: &Job,
    mut each: impl FnMut(&Registry) -> Result<T>,
) -> Result<T> {
    let (origin, mirrors) = sources.split_last().expect("a host has itself as its source");
    for mirror in mirrors.iter().filter(|mirror| !mirror.is_down.load(Ordering::Relaxed)) {
        match each(mirror) {
            Err(failure) if failure.class != Class::Cancelled => {
                let is_down = matches!(
                    failure.class,
                    Class::NoHost | Class::NoAnswer | Class::TimedOut | Class::Certificate
                );
                mirror.is_down.store(is_down, Ordering::Relaxed);
                if failure.class != Class::NotThere {
                    job.note(&format!("mirror {}: {}", mirror.name, failure.text));
                }
            }
            other => return other,
        }
    }
    each(origin)
}

/// A manifest or index, whole in memory before the pipe gets its first byte.
pub fn manifest(
    sources: &[Registry],
    job: &Job,
    repository: &str,
    reference: &str,
    accept: &str,
) -> Result<u64> {
    let (bytes, media_type, digest) = from_first(sources, job, |registry| {
        let what = format!("manifest {reference} of {}/{repository}", registry.name);
        retry::run(registry.pause, job, || {
            let ask = Ask {
                what: &what,
                method: Method::GET,
                target: Target::Path(&format!("/v2/{repository}/manifests/{reference}")),
                headers: &[("accept", accept)],
                scopes: &[scope(repository, false)],
            };
            let mut reply = registry.ask(&ask, &mut Payload::None)?;
            if reply.status != 200 {
                return Err(registry.refusal(reply, &what));
            }
            if reply.is_page() {
                return Err(page(&what, &reply));
            }
            if let Some(length) = reply.length().filter(|length| *length > MANIFEST_BYTES) {
                let text = format!("{what}: {length} bytes, more than 4 MiB");
                return Err(Failure::new(Class::Length, text));
            }
            let bytes = reply.read(MANIFEST_BYTES, &what)?;
            let digest = reply.header("docker-content-digest").unwrap_or_default();
            let media_type = reply.media_type();
            Ok((bytes, fitting(&media_type, MEDIA_TYPE_BYTES), fitting(digest, REFERENCE_BYTES)))
        })
    })?;
    job.begun(Some(bytes.len() as u64), &media_type, &digest)?;
    job.write(&bytes)?;
    Ok(bytes.len() as u64)
}

/// A header's value, or nothing if it is longer than any that makes sense.
fn fitting(value: &str, most: usize) -> String {
    if value.len() <= most { value.to_string() } else { String::new() }
}

fn page(what: &str, reply: &Reply) -> Failure {
    let host = &reply.address.authority;
    let text = format!(
        "{what}: {host} answers with a web page (a login page, a captive portal, no registry?)"
    );
    Failure::new(Class::Protocol, text).with_status(reply.status)
}

/// The progress of a blob's body.
struct Progress {
    /// The next byte that the pipe gets.
    at: u64,
    length: u64,
    has_begun: bool,
}

/// A blob of a known length from an offset on. Resumes after cuts.
pub fn blob(
    sources: &[Registry],
    job: &Job,
    repository: &str,
    digest: &str,
    offset: u64,
    length: u64,
) -> Result<u64> {
    if offset > length {
        return Err(Failure::new(Class::Length, "a blob is asked for from beyond its end"));
    }
    let mut progress = Progress { at: offset, length, has_begun: false };
    if offset == length {
        job.begun(Some(length), "", digest)?;
        return Ok(0);
    }
    from_first(sources, job, |registry| {
        blob_from(registry, job, repository, digest, &mut progress)
    })?;
    Ok(length - offset)
}

fn blob_from(
    registry: &Registry,
    job: &Job,
    repository: &str,
    digest: &str,
    progress: &mut Progress,
) -> Result<()> {
    let short = digest.get(..19).unwrap_or(digest);
    let what = format!("blob {short}… of {}/{repository}", registry.name);
    let (note, wait) = (|text: &str| job.note(text), |pause| job.wait(pause));
    let mut retry = Retry::new(registry.pause, &note, &wait);
    loop {
        let before = progress.at;
        match once(registry, job, repository, digest, &what, progress) {
            Ok(()) => return Ok(()),
            Err(mut failure) => {
                // A host that has answered may come back.
                let is_away = matches!(failure.class, Class::NoAnswer | Class::NoHost);
                if is_away && progress.has_begun {
                    failure.again = Again::Later;
                }
                retry.after(failure, progress.at > before)?;
            }
        }
    }
}

/// Asks for what is missing of a blob, and passes on what comes.
fn once(
    registry: &Registry,
    job: &Job,
    repository: &str,
    digest: &str,
    what: &str,
    progress: &mut Progress,
) -> Result<()> {
    let range = format!("bytes={}-", progress.at);
    let is_part = progress.at > 0;
    let ask = Ask {
        what,
        method: Method::GET,
        target: Target::Path(&format!("/v2/{repository}/blobs/{digest}")),
        headers: if is_part { &[("range", &range)] } else { &[] },
        scopes: &[scope(repository, false)],
    };
    let mut reply = registry.ask(&ask, &mut Payload::None)?;
    let wrong = |class, text: String| Err(Failure::new(class, format!("{what}: {text}")));
    let mut skip = 0;
    match reply.status {
        200 => skip = progress.at,
        206 if is_part => check_range(&reply, what, progress)?,
        416 => {
            let range = reply.header("content-range").unwrap_or_default().to_string();
            let text = format!("the server has no byte {} of it ({range})", progress.at);
            return wrong(Class::Length, text);
        }
        _ => return Err(registry.refusal(reply, what)),
    }
    let expected = progress.length - progress.at + skip;
    if let Some(length) = reply.length().filter(|length| *length != expected) {
        if reply.is_page() {
            return Err(page(what, &reply));
        }
        return wrong(
            Class::Length,
            format!("the server has {length} bytes in place of {expected}"),
        );
    }
    if let Some(coding) = reply.header("content-encoding").filter(|coding| *coding != "identity") {
        let text = format!("the server sends it in the coding {coding}, which was not asked for");
        return wrong(Class::Protocol, text);
    }
    if !progress.has_begun {
        job.begun(Some(progress.length), &fitting(&reply.media_type(), MEDIA_TYPE_BYTES), digest)?;
        progress.has_begun = true;
    }
    if skip > 0 {
        job.restarted(skip);
    }
    pass_on(&mut reply, job, what, skip, progress)
}

/// The part that a 206 has must begin where it was asked for, and be a part of the same blob.
fn check_range(reply: &Reply, what: &str, progress: &Progress) -> Result<()> {
    let text = reply.header("content-range").unwrap_or_default();
    let parsed = text.strip_prefix("bytes ").and_then(|range| range.split_once('/'));
    let parsed = parsed.and_then(|(range, total)| Some((range.split_once('-')?, total)));
    let is_right = parsed.is_some_and(|((from, until), total)| {
        from.parse() == Ok(progress.at)
            && until.parse() == Ok(progress.length - 1)
            && (total == "*" || total.parse() == Ok(progress.length))
    });
    if is_right {
        return Ok(());
    }
    let text = crate::failure::clean(text, 60);
    let text = format!("{what}: asked from byte {} on, the server sends {text}", progress.at);
    Err(Failure::new(Class::Protocol, text).with_status(206))
}

fn pass_on(
    reply: &mut Reply,
    job: &Job,
    what: &str,
    mut skip: u64,
    progress: &mut Progress,
) -> Result<()> {
    let address = reply.address.clone();
    let mut reader = reply.body.as_reader();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = reader.read(&mut buffer);
        let count =
            read.map_err(|error| crate::exchange::broken(error.into(), what, &address, None))?;
        let mut bytes = &buffer[..count];
        if count == 0 {
            if progress.at == progress.length {
                return Ok(());
            }
            return Err(cut(what, &address, "the body ended early"));
        }
        let skipped = bytes.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
        skip -= skipped as u64;
        bytes = &bytes[skipped..];
        if bytes.len() as u64 > progress.length - progress.at {
            let text = format!("{what}: the server sends more than {} bytes", progress.length);
            return Err(Failure::new(Class::Length, text));
        }
        job.write(bytes)?;
        progress.at += bytes.len() as u64;
    }
}

/// The tags of a repository, one a line.
pub fn tags(sources: &[Registry], job: &Job, repository: &str) -> Result<u64> {
    let text = from_first(sources, job, |registry| {
        let what = format!("tags of {}/{repository}", registry.name);
        retry::run(registry.pause, job, || all_tags(registry, repository, &what))
    })?;
    job.begun(Some(text.len() as u64), "text/plain", "")?;
    job.write(text.as_bytes())?;
    Ok(text.len() as u64)
}

fn all_tags(registry: &Registry, repository: &str, what: &str) -> Result<String> {
    let scopes = [scope(repository, false)];
    let mut text = String::new();
    let mut next = None;
    for _ in 0..PAGES_MAX {
        let first = format!("/v2/{repository}/tags/list");
        let target = next.as_ref().map_or(Target::Path(&first), Target::Address);
        let ask = Ask { what, method: Method::GET, target, headers: &[], scopes: &scopes };
        let mut reply = registry.ask(&ask, &mut Payload::None)?;
        if reply.status != 200 {
            return Err(registry.refusal(reply, what));
        }
        if reply.is_page() {
            return Err(page(what, &reply));
        }
        let wrong = |text: &str| Failure::new(Class::Protocol, format!("{what}: {text}"));
        let bytes = reply.read(MANIFEST_BYTES, what)?;
        let json = Json::parse(&bytes).map_err(|error| wrong(&format!("no JSON: {error}")))?;
        // A repository without tags has null.
        for tag in json.get("tags").and_then(Json::list).unwrap_or_default() {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            let tag = tag.text().filter(|tag| !tag.is_empty() && tag.bytes().all(is_plain));
            text.push_str(tag.ok_or_else(|| wrong("a tag with characters that none has"))?);
            text.push('\n');
        }
        if text.len() > TAGS_BYTES {
            return Err(Failure::new(Class::Length, format!("{what}: more than 16 MiB")));
        }
        let Some(link) = reply.header("link").and_then(next_of) else { return Ok(text) };
        let address = reply.address.join(link).map_err(|text| wrong(&format!("next: {text}")))?;
        if !address.is_same_place(&reply.address) {
            return Err(wrong("its next page is at another host"));
        }
        next = Some(address);
    }
    Err(Failure::new(Class::Length, format!("{what}: more than {PAGES_MAX} pages")))
}

/// The target of `Link: <URL>; rel="next"`.
fn next_of(link: &str) -> Option<&str> {
    let (target, parameters) = link.strip_prefix('<')?.split_once('>')?;
    let is_next = ["rel=\"next\"", "rel=next"].iter().any(|wanted| parameters.contains(wanted));
    is_next.then_some(target)
}
