//! `User`, /etc/passwd and /etc/group, separated by NUL: whatever they say, the answer is the one
//! that a few lines of std give, or one line of text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::bundle::{Overrides, spec_from_image};
use ocinit::codec::json;
use ocinit::image::Config;
use ocinit::io::strings::StringBlock;

mod support;

/// A field is kept up to this many bytes; a longer one is equal to nothing.
const FIELD: usize = 1024;
const GROUPS: usize = 256;

type Ids = (u32, u32, Vec<u32>);

fn number(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= FIELD && text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()?;
    (number != u32::MAX).then_some(number)
}

/// Of what is all digits: the number, or nothing to be had at all.
fn wanted_number(text: &[u8]) -> Option<Option<u32>> {
    if text.iter().all(u8::is_ascii_digit) { number(text).map(Some) } else { Some(None) }
}

fn lines(file: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let lines = file.split_inclusive(|&byte| byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\n").unwrap_or(line).split(|&byte| byte == b':').collect())
}

fn same(field: &[u8], wanted: &[u8]) -> bool {
    field.len() <= FIELD && field == wanted
}

fn oracle(wanted: &[u8], passwd: &[u8], group: &[u8]) -> Option<Ids> {
    let mut parts = wanted.splitn(2, |&byte| byte == b':');
    let (name, chosen) = (parts.next()?, parts.next());
    if !wanted.is_empty() && name.is_empty() || chosen == Some(b"") {
        return None;
    }
    let name = if wanted.is_empty() { b"0" } else { name };
    let by_number = wanted_number(name)?;
    let fits = |fields: &Vec<&[u8]>| match by_number {
        Some(uid) => fields.len() > 2 && number(fields[2]) == Some(uid),
        None => same(fields[0], name),
    };
    let known = match lines(passwd).find(fits) {
        Some(fields) if fields.len() < 4 => return None,
        Some(fields) => Some((number(fields[2])?, number(fields[3])?, fields[0])),
        None => None,
    };
    let (uid, mut gid) = known.map_or((by_number, 0), |(uid, gid, _)| (Some(uid), gid));
    let uid = uid?;
    let mut groups = Vec::new();
    match (chosen, known) {
        (Some(chosen), _) => {
            gid = match wanted_number(chosen)? {
                Some(gid) => gid,
                None => number(
                    lines(group).find(|fields| fields.len() > 2 && same(fields[0], chosen))?[2],
                )?,
            };
        }
        (None, Some((_, gid, login))) => {
            groups.push(gid);
            for fields in lines(group).filter(|fields| fields.len() > 3) {
                let mut members = fields[3].split(|&byte| byte == b',');
                if !login.is_empty()
                    && login.len() <= FIELD
                    && members.any(|member| member == login)
                {
                    let gid = number(fields[2])?;
                    if !groups.contains(&gid) {
                        groups.push(gid);
                    }
                }
            }
        }
        (None, None) => {}
    }
    if !groups.contains(&gid) {
        groups.push(gid);
    }
    (groups.len() <= GROUPS).then_some((uid, gid, groups))
}

fuzz_target!(|data: &[u8]| {
    let mut documents = data.splitn(3, |&byte| byte == 0);
    let mut next = || documents.next().unwrap_or_default();
    let (Ok(wanted), passwd, group) = (std::str::from_utf8(next()), next(), next()) else { return };
    let root = support::root(&[("passwd", passwd), ("group", group)]);
    let mut document = br#"{"architecture":"amd64","os":"linux","config":{"Cmd":["x"]}}"#.to_vec();
    let config = Config::read(json::check(&mut document).expect("JSON")).expect("a config");
    let mut memory = vec![0; 2 * data.len() + 4096];
    let overrides = Overrides { user: Some(wanted), ..Overrides::default() };
    let spec = spec_from_image(&config, overrides, Some(root.by_ref()), &mut StringBlock::new(&mut memory));
    let found = spec.map(|spec| {
        let user = &spec.process.user;
        (user.uid, user.gid, user.additional_gids.to_vec())
    });
    match (found, oracle(wanted.as_bytes(), passwd, group)) {
        (Ok(found), Some(expected)) => assert_eq!(found, expected),
        (Err(error), None) => assert!(!error.to_string().contains('\n')),
        (Ok(found), None) => panic!("{found:?}, and it is an error"),
        (Err(error), Some(expected)) => panic!("{error}, and it is {expected:?}"),
    }
});
