//! What a control group has used, as runc's `events` writes it: names and layout are those of cgroups of version 1.
//!
//! What version 2 does not count is 0 or left out, as runc does it.

use crate::Result;
use crate::codec::json::Writer;
use crate::container::Cgroup;
use crate::io::text::{decimal, words};
use crate::sys::fs;
use core::ffi::CStr;

/// The files of a group, and room for one of them.
pub(super) struct Files<'a> {
    /// The group.
    pub group: &'a Cgroup,
    /// Room for the largest file, and for names.
    pub buffer: &'a mut [u8],
}

/// What runc writes of a cpuset, always 0 in version 2.
const CPUSET: &str = "cpu_exclusive mem_hardwall mem_exclusive memory_migrate memory_spread_page memory_spread_slab \
                      memory_pressure sched_load_balance sched_relax_domain_level";
/// A device's numbers in io.stat, the list they go to, and what they are called there.
const IO: [(&str, [(&[u8], &[u8]); 2]); 2] = [
    ("ioServiceBytesRecursive", [(b"rbytes=", b"Read"), (b"wbytes=", b"Write")]),
    ("ioServicedRecursive", [(b"rios=", b"Read"), (b"wios=", b"Write")]),
];
const MICROSECOND_NS: u64 = 1000;

/// The number behind a key, in a file with a line for each.
pub(super) fn number(text: &[u8], key: &[u8]) -> Option<u64> {
    text.split(|byte| *byte == b'\n').find_map(|line| decimal(line.strip_prefix(key)?.strip_prefix(b" ")?))
}

impl Files<'_> {
    /// Writes the members of `data`.
    pub(super) fn write(&mut self, json: &mut Writer<'_>) -> Result<()> {
        self.cpu(json);
        json.object_of("cpuset");
        words(CPUSET).for_each(|name| json.bytes_key(name).number(0));
        json.end();
        self.memory(json);
        self.processes(json)?;
        self.io(json);
        self.huge_pages(json);
        json.object_of("intel_rdt");
        json.end();
        json.key("network_interfaces").null();
        Ok(())
    }

    /// A file's text; nothing where the group has no such file.
    fn text(&mut self, name: &CStr) -> &[u8] {
        self.group.read(name, self.buffer).unwrap_or_default()
    }

    /// A file that is one number; `max` is the largest there is.
    fn one(&mut self, name: &CStr) -> Option<u64> {
        match self.text(name).trim_ascii_end() {
            b"max" => Some(u64::MAX),
            text => decimal(text),
        }
    }

    fn cpu(&mut self, json: &mut Writer<'_>) {
        let text = self.text(c"cpu.stat");
        let get = |key: &str| number(text, key.as_bytes()).unwrap_or(0);
        json.object_of("cpu");
        json.object_of("usage");
        unless_zero(json, "total", get("usage_usec") * MICROSECOND_NS);
        json.key("kernel").number(get("system_usec") * MICROSECOND_NS);
        json.key("user").number(get("user_usec") * MICROSECOND_NS);
        json.end();
        json.object_of("throttling");
        unless_zero(json, "periods", get("nr_periods"));
        unless_zero(json, "throttledPeriods", get("nr_throttled"));
        unless_zero(json, "throttledTime", get("throttled_usec") * MICROSECOND_NS);
        json.end();
        json.end();
    }

    fn memory(&mut self, json: &mut Writer<'_>) {
        let [usage, swap] = [c"memory.current", c"memory.swap.current"].map(|name| self.one(name).unwrap_or(0));
        let [limit, swap_limit] = [c"memory.max", c"memory.swap.max"].map(|name| self.one(name).unwrap_or(0));
        let most = self.one(c"memory.peak").unwrap_or(0);
        let text = self.text(c"memory.stat");
        json.object_of("memory");
        unless_zero(json, "cache", number(text, b"file").unwrap_or(0));
        // Both together, as in version 1.
        let both = swap_limit.saturating_add(limit);
        for (name, limit, usage, most) in [
            ("usage", limit, usage, most),
            ("swap", both, usage + swap, 0),
            ("kernel", 0, 0, 0),
            ("kernelTCP", 0, 0, 0),
        ] {
            json.object_of(name);
            json.key("limit").number(limit);
            unless_zero(json, "usage", usage);
            unless_zero(json, "max", most);
            json.key("failcnt").number(0);
            json.end();
        }
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
        json.end();
    }

    fn processes(&mut self, json: &mut Writer<'_>) -> Result<()> {
        let current = match self.one(c"pids.current") {
            Some(current) => current,
            None => {
                let mut count = 0;
                self.group.each_process(&mut |_| count += 1)?;
                count
            }
        };
        json.object_of("pids");
        unless_zero(json, "current", current);
        unless_zero(json, "limit", self.one(c"pids.max").filter(|limit| *limit != u64::MAX).unwrap_or(0));
        json.end();
        Ok(())
    }

    fn io(&mut self, json: &mut Writer<'_>) {
        let text = self.text(c"io.stat");
        json.object_of("blkio");
        for (list, kinds) in &IO {
            let mut is_open = false;
            for line in text.split(|byte| *byte == b'\n') {
                let mut fields = line.split(|byte| *byte == b' ');
                let mut device = fields.next().unwrap_or_default().splitn(2, |byte| *byte == b':').filter_map(decimal);
                let (Some(major), Some(minor)) = (device.next(), device.next()) else { continue };
                for field in fields {
                    for (key, name) in kinds {
                        let Some(value) = field.strip_prefix(*key).and_then(decimal) else { continue };
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
        json.end();
    }

    /// The sizes are in the names of the group's files.
    fn huge_pages(&mut self, json: &mut Writer<'_>) {
        json.object_of("hugetlb");
        let directory = fs::open(self.group.directory(), c".", fs::O_RDONLY | fs::O_DIRECTORY, 0);
        while let Ok(directory) = &directory
            && let Ok(bytes @ [_, ..]) = fs::read_directory(directory.by_ref(), self.buffer)
        {
            for entry in fs::entries(bytes) {
                let name = entry.name.to_bytes();
                let size = name.strip_prefix(b"hugetlb.").and_then(|name| name.strip_suffix(b".current"));
                let Some(size) = size.filter(|size| !size.contains(&b'.')) else { continue };
                let (mut used, mut failed) = ([0; 32], [0; 64]);
                let used = self.group.read(entry.name, &mut used).unwrap_or_default();
                let mut events = crate::io::path::PathBuf::new();
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
        json.end();
    }
}

/// Go leaves out what is 0.
fn unless_zero(json: &mut Writer<'_>, key: &str, value: u64) {
    if value != 0 {
        json.key(key).number(value);
    }
}
