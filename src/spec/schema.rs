//! The type of every member of a `config.json` (runtime-spec 1.0 to 1.3, common and Linux), as a
//! table, and its one walker.
//!
//! [`fill`] takes an object apart and checks the type of each member in the same walk; what a
//! value means is its reader's. Members that the table does not have are ignored, as the
//! specification wants; so are other platforms' sections.

use crate::codec::json::{Entries, Value};
use crate::error::{Error, Result};
use crate::io::text::find;

// The tables, for `members`.
pub(super) const CONFIG: u8 = b'A';
pub(super) const PROCESS: u8 = b'B';
pub(super) const ROOT: u8 = b'C';
pub(super) const MOUNT: u8 = b'D';
pub(super) const HOOKS: u8 = b'E';
pub(super) const LINUX: u8 = b'F';
pub(super) const CONSOLE_SIZE: u8 = b'G';
pub(super) const USER: u8 = b'H';
pub(super) const CAPABILITIES: u8 = b'I';
pub(super) const RLIMIT: u8 = b'J';
pub(super) const SCHEDULER: u8 = b'K';
pub(super) const IO_PRIORITY: u8 = b'L';
pub(super) const AFFINITY: u8 = b'M';
pub(super) const MAPPING: u8 = b'N';
pub(super) const HOOK: u8 = b'O';
pub(super) const NAMESPACE: u8 = b'P';
pub(super) const DEVICE: u8 = b'Q';
pub(super) const SECCOMP: u8 = b'S';
pub(super) const SECCOMP_RULE: u8 = b'T';
pub(super) const SECCOMP_CONDITION: u8 = b'U';
pub(super) const PERSONALITY: u8 = b'V';
pub(super) const OFFSET: u8 = b'W';
pub(super) const INTEL_RDT: u8 = b'X';
pub(super) const MEMORY_POLICY: u8 = b'Y';
pub(super) const NET_DEVICE: u8 = b'Z';
/// `linux.resources`, and the file of `update --resources`.
pub const RESOURCES: &[u8] = b"R";

/// The members of each object: `[!][*|%]KIND` and the name. `!` means required, `*` an array, `%`
/// an object with any names. Kinds are
///
/// - `?` a boolean, `'` a string, `.` a nonempty string, `/` an absolute path
/// - `2` `4` `8` a number of that many bytes, `5` `9` a signed one of 4 or 8, `#` a user or group
///   ID
/// - `A` to `z` an object: the first of these texts, the second, ...
const OBJECTS: [&str; 37] = [
    // A: the config
    "!'ociVersion Bprocess !Croot 'hostname 'domainname *Dmounts Ehooks %'annotations Flinux",
    // B: process
    "?terminal GconsoleSize Huser *'args *'env !/cwd Icapabilities *Jrlimits ?noNewPrivileges 'apparmorProfile \
     9oomScoreAdj Kscheduler 'selinuxLabel LioPriority MexecCPUAffinity",
    // C: root
    "!.path ?readonly",
    // D: a mount
    "!.destination 'type 'source *'options *NuidMappings *NgidMappings",
    // E: hooks
    "*Oprestart *OcreateRuntime *OcreateContainer *OstartContainer *Opoststart *Opoststop",
    // F: linux
    "*NuidMappings *NgidMappings %'sysctl Rresources 'cgroupsPath *Pnamespaces *Qdevices %ZnetDevices Sseccomp \
     'rootfsPropagation */maskedPaths */readonlyPaths 'mountLabel XintelRdt YmemoryPolicy Vpersonality %WtimeOffsets",
    // G: consoleSize
    "!8height !8width",
    // H: user
    "#uid #gid 4umask *#additionalGids",
    // I: capabilities
    "*'bounding *'effective *'inheritable *'permitted *'ambient",
    // J: a resource limit
    "!'type !8soft !8hard",
    // K: scheduler
    "!'policy 5nice 5priority *'flags 8runtime 8deadline 8period",
    // L: ioPriority
    "!'class 5priority",
    // M: execCPUAffinity
    "'initial 'final",
    // N: a mapping of IDs
    "!#containerID !#hostID !4size",
    // O: a hook
    "!/path *'args *'env 9timeout",
    // P: a namespace
    "!'type 'path",
    // Q: a device
    "!'type !/path 9major 9minor 4fileMode #uid #gid",
    // R: resources
    "*adevices bmemory ccpu dpids eblockIO *hhugepageLimits inetwork %krdma %'unified",
    // S: seccomp
    "!'defaultAction 4defaultErrnoRet *'architectures *'flags 'listenerPath 'listenerMetadata *Tsyscalls",
    // T: a rule of seccomp
    "*.names !'action 4errnoRet *Uargs",
    // U: a condition of seccomp
    "!4index !8value 8valueTwo !'op",
    // V: personality
    "!'domain *'flags",
    // W: a clock's offset
    "9secs 4nanosecs",
    // X: intelRdt
    "'closID *'schemata 'l3CacheSchema 'memBwSchema ?enableMonitoring ?enableCMT ?enableMBM",
    // Y: memoryPolicy
    "!'mode 'nodes *'flags",
    // Z: a network device
    "'name",
    // a: a device rule
    "!?allow 'type 9major 9minor 'access",
    // b: memory
    "9limit 9reservation 9swap 9kernel 9kernelTCP 8swappiness ?disableOOMKiller ?useHierarchy ?checkBeforeUpdate",
    // c: cpu
    "8shares 9quota 8burst 8period 9realtimeRuntime 8realtimePeriod 'cpus 'mems 9idle",
    // d: pids
    "9limit",
    // e: blockIO
    "2weight 2leafWeight *fweightDevice *gthrottleReadBpsDevice *gthrottleWriteBpsDevice *gthrottleReadIOPSDevice \
     *gthrottleWriteIOPSDevice",
    // f: a device's weight
    "!9major !9minor 2weight 2leafWeight",
    // g: a device's rate
    "!9major !9minor 8rate",
    // h: a limit of huge pages
    "!'pageSize !8limit",
    // i: network
    "4classID *jpriorities",
    // j: a priority
    "!'name !4priority",
    // k: rdma
    "4hcaHandles 4hcaObjects",
];

/// A member; None if it is null or absent.
pub(super) type Member<'v> = Option<Value<'v>>;

/// Takes an object apart: `members!(ROOT of object => path, readonly)` binds each member of the
/// table, in the table's order.
macro_rules! members {
    ($table:ident of $object:expr => $($name:ident),+) => {
        let mut found = [None; schema::count(schema::$table)];
        schema::fill($object, schema::$table, &mut found)?;
        let [$($name),+] = &found;
    };
}
pub(super) use members;

/// Puts the members of an object into their places in the object's table; all stay as they are if
/// there is no object. The type of each is checked, but not what is in an array or an object: its
/// reader does that.
pub(super) fn fill<'v>(
    object: Option<&Value<'v>>,
    table: u8,
    found: &mut [Member<'v>],
) -> Result<()> {
    let Some(object) = object else { return Ok(()) };
    walk(object, table, &mut |at, kind, member| {
        one(&member, kind)?;
        if let Some(place) = found.get_mut(at) {
            *place = Some(member);
        }
        Ok(())
    })
}

/// Checks a value of a checked document with all that is in it: [`RESOURCES`].
///
/// It calls itself once for each level of the table, which has nine; how deep the document is does
/// not matter.
pub fn check(value: &Value<'_>, kind: &[u8]) -> Result<()> {
    one(value, kind)?;
    match kind {
        [b'*', rest @ ..] => value.items()?.try_for_each(|item| check(&item, rest)),
        [b'%', rest @ ..] => entries(*value)?.try_for_each(|(_, item)| check(&item, rest)),
        [table, ..] if table.is_ascii_alphabetic() => {
            walk(value, *table, &mut |_, kind, member| check(&member, kind))
        }
        _ => Ok(()),
    }
}

/// Checks the type of a value, and not what is in it.
pub(super) fn one(value: &Value<'_>, kind: &[u8]) -> Result<()> {
    match kind.first().copied().unwrap_or(0) {
        b'*' => value.items().map(drop),
        b'?' => value.as_bool().map(drop),
        b'\'' => value.as_text().map(drop),
        b'.' => match value.as_text()?.is_empty() {
            true => Err(value.error("must not be empty")),
            false => Ok(()),
        },
        b'/' => match value.as_text()?.as_escaped().as_bytes() {
            [b'/', ..] => Ok(()),
            _ => Err(value.error("must be an absolute path")),
        },
        b'5' => match i32::try_from(value.as_i64()?) {
            Ok(_) => Ok(()),
            Err(_) => Err(value.error("not a whole number of 32 bits")),
        },
        b'9' => value.as_i64().map(drop),
        b'2' => at_most(value, u16::MAX.into()),
        b'4' => at_most(value, u32::MAX.into()),
        // The last ID means "no change" to the kernel.
        b'#' => at_most(value, u64::from(u32::MAX) - 1),
        b'8' => at_most(value, u64::MAX),
        _ => value.entries().map(drop),
    }
}

/// Returns the members of an object that may have any names but an empty one.
pub(super) fn entries(value: Value<'_>) -> Result<Entries<'_>> {
    let all = value.entries()?;
    match all.clone().find(|(key, _)| key.is_empty()) {
        Some((_, item)) => Err(item.error("an empty key")),
        None => Ok(all),
    }
}

fn at_most(value: &Value<'_>, most: u64) -> Result<()> {
    match value.as_u64()? > most {
        true => Err(value.at(Error::new(format_args!("exceeds {most}")))),
        false => Ok(()),
    }
}

/// Gets a member's place in its table, and its kind.
type See<'s, 'v> = &'s mut dyn FnMut(usize, &'static [u8], Value<'v>) -> Result<()>;

/// Calls `see` with each member that the table has and that is not null.
fn walk<'v>(object: &Value<'v>, table: u8, see: See<'_, 'v>) -> Result<()> {
    let members = OBJECTS[index(table)].as_bytes();
    // A bit for each member of the table: present, and not null.
    let (mut seen, mut given) = (0u32, 0u32);
    // Most writers keep the table's order: the next member is near the last one.
    let mut next = Word { members, at: 0, n: 0 };
    for (key, member) in object.entries()? {
        let Some((n, kind)) = next.find(key.as_escaped().as_bytes()) else { continue };
        if seen & 1 << n != 0 {
            return Err(member.error("given twice"));
        }
        seen |= 1 << n;
        if !member.is_null() {
            given |= 1 << n;
            see(n, kind, member)?;
        }
    }
    let mut word = Word { members, at: 0, n: 0 };
    while let Some(text) = word.next() {
        if text.first() == Some(&b'!') && given & 1 << (word.n - 1) == 0 {
            let name = core::str::from_utf8(&text[kind_length(text)..]).unwrap_or("");
            return Err(object.error_in(name, "missing"));
        }
    }
    Ok(())
}

/// Walks the words of a table.
struct Word {
    members: &'static [u8],
    /// The start of the next word.
    at: usize,
    /// Its place.
    n: usize,
}

impl Word {
    /// Returns the next word; None at the end, from where it begins again.
    fn next(&mut self) -> Option<&'static [u8]> {
        let Some(rest) = self.members.get(self.at..) else {
            (self.at, self.n) = (0, 0);
            return None;
        };
        let length = find(rest, b' ');
        self.at += length + 1;
        self.n += 1;
        rest.get(..length)
    }

    /// Returns the place and the kind of the member of this name, which is sought from here on.
    fn find(&mut self, name: &[u8]) -> Option<(usize, &'static [u8])> {
        let start = self.n;
        loop {
            match self.next() {
                Some(word)
                    if word.ends_with(name) && kind_length(word) + name.len() == word.len() =>
                {
                    let kind = word.strip_prefix(b"!").unwrap_or(word);
                    return Some((self.n - 1, kind));
                }
                _ if self.n == start => return None,
                _ => {}
            }
        }
    }
}

/// Returns how much of a word stands before the member's name.
fn kind_length(word: &[u8]) -> usize {
    let marks = word.iter().take_while(|byte| matches!(byte, b'!' | b'*' | b'%')).count();
    marks + 1
}

/// Returns the place of a table.
const fn index(table: u8) -> usize {
    (table - if table < b'a' { b'A' } else { b'a' - 26 }) as usize
}

/// Returns how many members a table has.
pub(super) const fn count(table: u8) -> usize {
    let (bytes, mut count, mut at) = (OBJECTS[index(table)].as_bytes(), 1, 0);
    while at < bytes.len() {
        count += (bytes[at] == b' ') as usize;
        at += 1;
    }
    count
}

#[cfg(test)]
mod tests;
