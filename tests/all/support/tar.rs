//! A tar writer that also writes what a good one would not.

/// Bytes of a tar, grown entry by entry.
#[derive(Clone, Default)]
pub struct Tar {
    bytes: Vec<u8>,
}

/// What one header says; the fields a test bends.
pub struct Header<'a> {
    pub name: &'a str,
    pub kind: u8,
    pub mode: u32,
    pub owner: (u32, u32),
    pub link: &'a str,
    pub size: u64,
    pub device: (u32, u32),
}

impl<'a> Header<'a> {
    pub fn new(name: &'a str, kind: u8) -> Header<'a> {
        Header { name, kind, mode: 0o644, owner: (0, 0), link: "", size: 0, device: (0, 0) }
    }
}

impl Tar {
    pub fn new() -> Tar {
        Tar::default()
    }

    /// These bytes, whatever they are.
    pub fn raw(bytes: Vec<u8>) -> Tar {
        Tar { bytes }
    }

    pub fn directory(self, name: &str, mode: u32) -> Tar {
        self.entry(&Header { mode, ..Header::new(name, b'5') }, b"")
    }

    pub fn file(self, name: &str, mode: u32, data: impl AsRef<[u8]>) -> Tar {
        let data = data.as_ref();
        self.entry(&Header { mode, size: data.len() as u64, ..Header::new(name, b'0') }, data)
    }

    pub fn symlink(self, name: &str, target: &str) -> Tar {
        self.entry(&Header { mode: 0o777, link: target, ..Header::new(name, b'2') }, b"")
    }

    pub fn hard_link(self, name: &str, target: &str) -> Tar {
        self.entry(&Header { link: target, ..Header::new(name, b'1') }, b"")
    }

    /// `whiteout("etc/motd")` hides `etc/motd` of the layers below.
    pub fn whiteout(self, path: &str) -> Tar {
        let marker = match path.rsplit_once('/') {
            Some((parent, name)) => format!("{parent}/.wh.{name}"),
            None => format!(".wh.{path}"),
        };
        self.file(&marker, 0o644, "")
    }

    /// A pax header for the entry that follows: `[("SCHILY.xattr.user.note", "x")]`.
    pub fn pax(self, records: &[(&str, &str)]) -> Tar {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut total = rest + 1;
            while total.to_string().len() + rest != total {
                total += 1;
            }
            data.extend_from_slice(format!("{total} {key}={value}\n").as_bytes());
        }
        self.entry(&Header { size: data.len() as u64, ..Header::new("pax", b'x') }, &data)
    }

    /// A header as told, then `data`, padded to whole blocks.
    pub fn entry(mut self, header: &Header<'_>, data: &[u8]) -> Tar {
        assert!(
            header.name.len() <= 100 && header.link.len() <= 100,
            "use a pax header for {}",
            header.name
        );
        let mut block = [0_u8; 512];
        let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
        put(0, header.name.as_bytes());
        put(100, format!("{:07o}", header.mode).as_bytes());
        put(108, format!("{:07o}", header.owner.0).as_bytes());
        put(116, format!("{:07o}", header.owner.1).as_bytes());
        put(124, format!("{:011o}", header.size).as_bytes());
        put(136, b"14000000000");
        put(148, b"        ");
        put(156, &[header.kind]);
        put(157, header.link.as_bytes());
        put(257, b"ustar\x0000");
        put(329, format!("{:07o}", header.device.0).as_bytes());
        put(337, format!("{:07o}", header.device.1).as_bytes());
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&block);
        self.bytes.extend_from_slice(data);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    /// The tar with its two closing blocks.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 1024, 0);
        self.bytes
    }
}
