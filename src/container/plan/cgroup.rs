//! The cgroup of a plan: its path, the files of its limits in the order of their writing, and the
//! rules for devices.

use crate::Result;
use crate::cgroup::CgroupPath;
use crate::codec::json::Writer;
use crate::io::lossy::OneLine;
use crate::spec::{Spec, write_device_rules};
use core::fmt::{self, Write};

/// Writes lines of text.
pub(super) fn text(path: &CgroupPath, spec: &Spec<'_>, out: &mut dyn Write) -> Result<()> {
    let _ = writeln!(out, "cgroup {}", OneLine(path.path().to_bytes()));
    path.lines(spec, &mut |line| {
        let file = line.file.to_bytes();
        let _ = write!(out, "limit {} = ", OneLine(file));
        let _ = fmt::write(&mut LimitLines { out, file }, line.value);
        let _ = writeln!(out);
        Ok(())
    })?;
    for rule in spec.device_rules {
        let _ = writeln!(out, "device rule {rule}");
    }
    Ok(())
}

/// A value that is being written. Each line of it is written to the file by itself.
struct LimitLines<'a> {
    out: &'a mut dyn Write,
    file: &'a [u8],
}

impl Write for LimitLines<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (n, line) in text.as_bytes().split(|byte| *byte == b'\n').enumerate() {
            if n > 0 {
                write!(self.out, "\nlimit {} = ", OneLine(self.file))?;
            }
            write!(self.out, "{}", OneLine(line))?;
        }
        Ok(())
    }
}

/// Writes an object.
pub(super) fn json(path: &CgroupPath, spec: &Spec<'_>, json: &mut Writer<'_>) -> Result<()> {
    json.object_of("cgroup");
    json.string_of("path", path.path().to_bytes());
    json.array_of("lines");
    path.lines(spec, &mut |line| {
        json.object();
        json.string_of("file", line.file.to_bytes());
        json.key("value").shown(line.value);
        json.end();
        Ok(())
    })?;
    json.end();
    write_device_rules("deviceRules", spec.device_rules, json);
    json.end();
    Ok(())
}
