//! A disk's first bytes: any bytes give a file system or none. The size of reads does not change
//! the result, and label and UUID fit into a line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::init::probe;

/// The offsets that are read: the fuzzer's bytes are split over them.
const PLACES: [u64; 6] = [0, 1024, 0x8000, 0x8000 + 512, 1 << 20, 1 << 40];

fuzz_target!(|data: &[u8]| {
    let (kind, data) = data.split_first().unwrap_or((&0, &[]));
    let piece = data.len() / PLACES.len() + 1;
    // Either the bytes as they are, or a piece of them at each place.
    let read = |step: usize| {
        move |offset: u64, buffer: &mut [u8]| {
            let room = buffer.len().min(step);
            let buffer = &mut buffer[..room];
            if kind & 1 == 0 {
                let rest =
                    usize::try_from(offset).ok().and_then(|at| data.get(at..)).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                return Ok(count);
            }
            for (place, byte) in (offset..).zip(buffer.iter_mut()) {
                let pieces = PLACES.iter().zip(data.chunks(piece));
                let inside = |(start, bytes): (&u64, &[u8])| {
                    Some(*bytes.get(usize::try_from(place.checked_sub(*start)?).ok()?)?)
                };
                *byte = pieces.rev_find_map(inside).unwrap_or(0);
            }
            Ok(buffer.len())
        }
    };
    let found = probe(&read(usize::MAX)).expect("reading cannot fail");
    assert_eq!(found, probe(&read(7)).expect("reading cannot fail"));
    if let Some(found) = found {
        assert!(["squashfs", "ext4", "erofs", "iso9660", "vfat"].contains(&found.kind));
        assert!(found.label.len() <= 64 && !found.label.contains(&0) && found.uuid.len() <= 36);
        assert!(!found.dirty || found.kind == "ext4");
    }
    // A disk that cannot be read is an error.
    assert!(probe(&|_, _| Err(ocinit::Error::new(format_args!("broken")))).is_err());
});

trait RevFindMap: Iterator + Sized {
    /// Returns the last Some.
    fn rev_find_map<T>(self, see: impl FnMut(Self::Item) -> Option<T>) -> Option<T> {
        self.filter_map(see).last()
    }
}

impl<I: Iterator> RevFindMap for I {}
