//! The type of every member of a `config.json` (runtime-spec 1.0 to 1.3, common and Linux), as a
//! table, and its one walker.
//!
//! What a value means is for whoever uses it; here a wrong type anywhere becomes an error before
//! anything is made. Members that the table does not have are ignored, as the specification wants;
//! so are other platforms' sections.

use crate::codec::json::Value;
use crate::error::{Error, Result};
use crate::io::text::words;

/// The whole document.
pub const CONFIG: &[u8] = b"A";
/// `process`, and the file that `exec --process` is given.
pub const PROCESS: &[u8] = b"B";
/// `linux.resources`, and the file that `update --resources` is given.
pub const RESOURCES: &[u8] = b"R";

/// The members of each object: `[!][*|%]KIND` and the name. `!`: it must be there. `*`: an array,
/// `%`: an object with any names, of that kind. Kinds are
///
/// - `?` a truth value, `'` a string, `.` a string that is not empty, `/` an absolute path
/// - `2` `4` `8` a number of so many bytes, `5` `9` one of 4 or 8 with a sign, `#` a user or group
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
    // J: a limit
    "!'type !8soft !8hard",
    // K: scheduler
    "!'policy 5nice 5priority *'flags 8runtime 8deadline 8period",
    // L: ioPriority
    "!'class 5priority",
    // M: execCPUAffinity
    "'initial 'final",
    // N: a mapping of ids
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
    // T: a rule of it
    "!*.names !'action 4errnoRet *Uargs",
    // U: a condition of it
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
    // a: a rule for devices
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

/// Checks a value of a checked document against a kind: [`CONFIG`] and the like.
///
/// It calls itself once for each level of the table, which has nine; how deep the document is does
/// not matter.
pub fn check(value: &Value<'_>, kind: &[u8]) -> Result<()> {
    let Some((&first, rest)) = kind.split_first() else { return Ok(()) };
    match first {
        b'!' => check(value, rest),
        b'*' => value.items()?.try_for_each(|item| check(&item, rest)),
        b'%' => value.entries()?.try_for_each(|(key, item)| match key.is_empty() {
            true => Err(item.error("an empty key")),
            false => check(&item, rest),
        }),
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
        // The last one means "no change" to the kernel.
        b'#' => at_most(value, u64::from(u32::MAX) - 1),
        b'8' => at_most(value, u64::MAX),
        table => object(value, table),
    }
}

fn at_most(value: &Value<'_>, most: u64) -> Result<()> {
    match value.as_u64()? > most {
        true => Err(value.at(Error::new(format_args!("exceeds {most}")))),
        false => Ok(()),
    }
}

fn object(value: &Value<'_>, table: u8) -> Result<()> {
    let members = OBJECTS
        .get(usize::from(table - if table < b'a' { b'A' } else { b'a' - 26 }))
        .unwrap_or(&"");
    // A bit for each member of the table: what stands here, and what of it is more than a null.
    let (mut seen, mut given) = (0u32, 0u32);
    for (key, member) in value.entries()? {
        let key = key.as_escaped().as_bytes();
        let Some((n, kind)) = words(members)
            .enumerate()
            .find(|(_, word)| word.ends_with(key) && name_of(word) == key)
        else {
            continue;
        };
        if seen & 1 << n != 0 {
            return Err(member.error("given twice"));
        }
        seen |= 1 << n;
        if !member.is_null() {
            given |= 1 << n;
            check(&member, kind)?;
        }
    }
    match words(members).enumerate().find(|(n, word)| word.starts_with(b"!") && given & 1 << n == 0)
    {
        Some((_, word)) => {
            Err(value.error_in(core::str::from_utf8(name_of(word)).unwrap_or(""), "missing"))
        }
        None => Ok(()),
    }
}

/// A member's name, without its kind.
fn name_of(mut word: &[u8]) -> &[u8] {
    while let [b'!' | b'*' | b'%', rest @ ..] = word {
        word = rest;
    }
    word.get(1..).unwrap_or(&[])
}

#[cfg(test)]
mod tests;
