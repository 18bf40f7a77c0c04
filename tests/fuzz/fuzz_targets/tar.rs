//! A layer's tar: whatever the bytes are, the answer is entries or one line, the same however they
//! arrive.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::codec::tar::{Archive, TarMemory};
use ocinit::io::Source;
use ocinit::rootfs::name::Name;

mod support;

/// Gives a few bytes at a time.
struct Drip<'a>(&'a [u8], usize);

impl Source for Drip<'_> {
    fn peek(&mut self) -> ocinit::Result<&[u8]> {
        Ok(&self.0[..self.0.len().min(self.1)])
    }

    fn consume(&mut self, count: usize) {
        self.0 = &self.0[count..];
    }
}

fn read(source: &mut dyn Source) -> (Vec<String>, Option<String>) {
    let mut memory = Box::new(TarMemory::EMPTY);
    let mut archive = Archive::new(source, &mut memory);
    let mut found = Vec::new();
    loop {
        let entry = match archive.next(&mut memory) {
            Ok(Some(entry)) => entry,
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error.to_string())),
        };
        let mut name = Name::EMPTY;
        if name.set(entry.name).is_ok() {
            let _ = name.interpret();
            let clean = |component: &[u8]| !matches!(component, b"" | b"." | b"..");
            assert!(
                name.parent().is_empty() || name.parent().split(|&byte| byte == b'/').all(clean)
            );
            assert!(!name.last().to_bytes().contains(&b'/'));
        }
        let stored: u64 = entry
            .sparse
            .iter()
            .flat_map(|segments| segments.iter())
            .map(|segment| segment.length)
            .sum();
        assert!(entry.sparse.is_none() || stored == archive.left());
        let (name, link) = (entry.name.escape_ascii(), entry.link.escape_ascii());
        found.push(format!(
            "{name} {:?} {} {:?} {link} {}",
            entry.kind,
            entry.size,
            entry.mtime,
            entry.xattrs().count()
        ));
    }
}

fuzz_target!(|data: &[u8]| {
    // Most bytes of a header are covered by its checksum, so every block gets the right one where
    // it claims to.
    let mut tar = data.to_vec();
    for block in tar.chunks_exact_mut(512).filter(|block| block[148] == b'?') {
        support::seal(block);
    }
    let whole = read(&mut &tar[..]);
    assert!(whole.1.as_ref().is_none_or(|error| !error.contains('\n')));
    assert_eq!(
        whole,
        read(&mut Drip(&tar, 1 + data.first().map_or(0, |byte| usize::from(*byte) * 3)))
    );
});
