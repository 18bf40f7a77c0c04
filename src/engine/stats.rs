//! A cgroup's statistics in the form of runc's `events`: its names and layout are those of cgroup
//! v1.
//!
//! Values that cgroup v2 does not count are 0 or absent, as in runc.

use crate::cgroup::Cgroup;
use crate::codec::json::Writer;
use crate::io::path::PathBuf;
use crate::io::text::{decimal, words};
use crate::sys::fs;

/// The files of a cgroup, and a buffer for one of them.
pub struct Files<'a> {
    /// The cgroup.
    pub group: &'a Cgroup,
    /// Large enough for the largest file, and for names.
    pub buffer: &'a mut [u8],
}

/// The members in order. `NAME{` begins an object, `}` ends it. `NAME=SOURCE` is a number.
/// `NAME?SOURCE` leaves it out if it is 0 or "max", as Go and runc do. A source is `FILE` or
/// `FILE/KEY`; a `*` after it means nanoseconds. A `+` adds several. `0` is a value that cgroup v2
/// does not count. `!` has a function of its own.
const LAYOUT: &str = "cpu{ usage{ total?cpu.stat/usage_usec* kernel=cpu.stat/system_usec* user=cpu.stat/user_usec* } \
     throttling{ periods?cpu.stat/nr_periods throttledPeriods?cpu.stat/nr_throttled \
     throttledTime?cpu.stat/throttled_usec* } !cpu } \
     cpuset{ cpu_exclusive=0 mem_hardwall=0 mem_exclusive=0 memory_migrate=0 memory_spread_page=0 memory_spread_slab=0 \
     memory_pressure=0 sched_load_balance=0 sched_relax_domain_level=0 } \
     memory{ cache?memory.stat/file usage{ limit=memory.max usage?memory.current max?memory.peak failcnt=0 } \
     swap{ limit=memory.swap.max+memory.max usage?memory.swap.current+memory.current failcnt=0 } \
     kernel{ limit=0 failcnt=0 } kernelTCP{ limit=0 failcnt=0 } !raw !memory } \
     pids{ !pids limit?pids.max } blkio{ !io !io-pressure } hugetlb{ !huge } intel_rdt{ }";
/// A device's numbers in io.stat, two for each list, and their names in the lists.
const IO: [(&str, &str, &[u8]); 4] = [
    ("ioServiceBytesRecursive", "rbytes=", b"Read"),
    ("ioServiceBytesRecursive", "wbytes=", b"Write"),
    ("ioServicedRecursive", "rios=", b"Read"),
    ("ioServicedRecursive", "wios=", b"Write"),
];

/// Returns the number after a key, in a file with a line for each.
pub fn number(text: &[u8], key: &[u8]) -> Option<u64> {
    text.split(|byte| *byte == b'\n')
        .find_map(|line| decimal(line.strip_prefix(key)?.strip_prefix(b" ")?))
}

impl Files<'_> {
    /// Writes the members of `data`.
    pub fn write(&mut self, json: &mut Writer<'_>) {
        for word in words(LAYOUT) {
            match word {
                b"}" => json.end(),
                b"!raw" => self.raw(json),
                b"!pids" => {
                    let mut count = self.number(b"pids.current");
                    if count == 0 {
                        // Without the pids controller they are counted.
                        let _ = self.group.each_process(&mut |_| count += 1);
                    }
                    unless_zero(json, "current", count);
                }
                b"!io" => self.io(json),
                b"!huge" => self.huge_pages(json),
                b"!cpu" => self.pressure(json, b"cpu.pressure"),
                b"!memory" => self.pressure(json, b"memory.pressure"),
                b"!io-pressure" => self.pressure(json, b"io.pressure"),
                [name @ .., b'{'] => json.bytes_key(name).object(),
                word => {
                    let at = word.iter().position(|byte| matches!(byte, b'=' | b'?')).unwrap_or(0);
                    let value = word[at + 1..].split(|byte| *byte == b'+');
                    let value =
                        value.fold(0u64, |sum, source| sum.saturating_add(self.number(source)));
                    if word[at] == b'=' || !matches!(value, 0 | u64::MAX) {
                        json.bytes_key(&word[..at]).number(value);
                    }
                }
            }
        }
        json.key("network_interfaces").null();
    }

    /// Returns a number of a file, or 0 if the file is missing. `max` is the largest number.
    fn number(&mut self, source: &[u8]) -> u64 {
        let (source, unit) = source.strip_suffix(b"*").map_or((source, 1), |source| (source, 1000));
        let mut parts = source.split(|byte| *byte == b'/');
        let text = self.text(parts.next().unwrap_or_default());
        let value = match (parts.next(), text.trim_ascii_end()) {
            (Some(key), _) => number(text, key),
            (None, b"max") => Some(u64::MAX),
            (None, text) => decimal(text),
        };
        value.unwrap_or(0) * unit
    }

    /// Returns a file's text, or nothing if the file is missing.
    fn text(&mut self, name: &[u8]) -> &[u8] {
        let name = PathBuf::from_bytes(name).unwrap_or_default();
        self.group.read(name.as_c_str(), self.buffer).unwrap_or_default()
    }

    fn raw(&mut self, json: &mut Writer<'_>) {
        let text = self.text(b"memory.stat");
        if !text.is_empty() {
            json.object_of("raw");
            for line in text.split(|byte| *byte == b'\n') {
                let mut words = line.split(|byte| *byte == b' ');
                if let (Some(key), Some(value)) = (words.next(), words.next().and_then(decimal)) {
                    json.bytes_key(key).number(value);
                }
            }
            json.end();
        }
    }

    /// Writes pressure stall information, if the kernel counts it.
    fn pressure(&mut self, json: &mut Writer<'_>, file: &[u8]) {
        let text = self.text(file);
        if text.is_empty() {
            return;
        }
        json.object_of("psi");
        // Kernels before 5.13 have no `full` line for the CPU.
        for kind in ["some", "full"] {
            let line = text
                .split(|byte| *byte == b'\n')
                .find_map(|line| line.strip_prefix(kind.as_bytes()));
            json.object_of(kind);
            for key in ["avg10", "avg60", "avg300", "total"] {
                let mut fields = line.unwrap_or_default().split(|byte| *byte == b' ');
                let value =
                    fields.find_map(|field| field.strip_prefix(key.as_bytes())?.strip_prefix(b"="));
                json.key(key).number_text(as_go_has_it(value.unwrap_or(b"0")));
            }
            json.end();
        }
        json.end();
    }

    fn io(&mut self, json: &mut Writer<'_>) {
        let text = self.text(b"io.stat");
        for kinds in IO.as_chunks::<2>().0 {
            let mut is_open = false;
            for line in text.split(|byte| *byte == b'\n') {
                let mut fields = line.split(|byte| *byte == b' ');
                let mut device = fields
                    .next()
                    .unwrap_or_default()
                    .splitn(2, |byte| *byte == b':')
                    .filter_map(decimal);
                let (Some(major), Some(minor)) = (device.next(), device.next()) else { continue };
                for field in fields {
                    for (list, key, name) in kinds {
                        let Some(value) = field.strip_prefix(key.as_bytes()).and_then(decimal)
                        else {
                            continue;
                        };
                        if !core::mem::replace(&mut is_open, true) {
                            json.array_of(list);
                        }
                        json.object();
                        unless_zero(json, "major", major);
                        unless_zero(json, "minor", minor);
                        json.string_of("op", name);
                        unless_zero(json, "value", value);
                        json.end();
                    }
                }
            }
            if is_open {
                json.end();
            }
        }
    }

    /// The page sizes are in the names of the cgroup's files.
    fn huge_pages(&mut self, json: &mut Writer<'_>) {
        let directory = fs::open(self.group.directory(), c".", fs::O_RDONLY | fs::O_DIRECTORY, 0);
        while let Ok(directory) = &directory
            && let Ok(bytes @ [_, ..]) = fs::read_directory(directory.by_ref(), self.buffer)
        {
            for entry in fs::entries(bytes) {
                let name = entry.name.to_bytes();
                let size =
                    name.strip_prefix(b"hugetlb.").and_then(|name| name.strip_suffix(b".current"));
                let Some(size) = size.filter(|size| !size.contains(&b'.')) else { continue };
                let (mut used, mut failed, mut events) = ([0; 32], [0; 64], PathBuf::new());
                let used = self.group.read(entry.name, &mut used).unwrap_or_default();
                let _ = events
                    .push_bytes(&name[..name.len() - b"current".len()])
                    .and_then(|()| events.push_bytes(b"events"));
                let failed = self.group.read(events.as_c_str(), &mut failed).unwrap_or_default();
                json.bytes_key(size).object();
                unless_zero(json, "usage", decimal(used.trim_ascii_end()).unwrap_or(0));
                json.key("failcnt").number(number(failed, b"max").unwrap_or(0));
                json.end();
            }
        }
    }
}

/// Returns a number without trailing zeros of its fraction: `4.10` is 4.1.
fn as_go_has_it(number: &[u8]) -> &str {
    let mut number = number;
    if number.contains(&b'.') {
        while let [rest @ .., b'0'] = number {
            number = rest;
        }
        number = number.strip_suffix(b".").unwrap_or(number);
    }
    core::str::from_utf8(number).unwrap_or("0")
}

/// Writes a number unless it is 0, as Go does.
fn unless_zero(json: &mut Writer<'_>, key: &str, value: u64) {
    if value != 0 {
        json.key(key).number(value);
    }
}
