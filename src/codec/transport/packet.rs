//! The layout of a message: kind, host, id, two numbers, three texts.

use super::Malformed;

const HEADER_BYTES: usize = 20;
pub(super) const TEXTS: usize = 3;

/// A packet as it is laid out.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub kind: u8,
    pub host: u8,
    pub id: u16,
    pub numbers: [u64; 2],
    pub texts: [&'a [u8]; TEXTS],
}

impl<'a> Packet<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let (header, mut rest) = bytes.split_at_checked(HEADER_BYTES).ok_or(Malformed::Size)?;
        let number = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&header[at..at + 8]);
            u64::from_le_bytes(eight)
        };
        let mut packet = Packet {
            kind: header[0],
            host: header[1],
            id: u16::from_le_bytes([header[2], header[3]]),
            numbers: [number(4), number(12)],
            ..Packet::default()
        };
        for text in &mut packet.texts {
            let (length, behind) = rest.split_at_checked(2).ok_or(Malformed::Size)?;
            let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
            (*text, rest) = behind.split_at_checked(length).ok_or(Malformed::Size)?;
        }
        if rest.is_empty() { Ok(packet) } else { Err(Malformed::Size) }
    }

    /// Returns the packet's bytes in `buffer`.
    pub fn write<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], Malformed> {
        let length = HEADER_BYTES + self.texts.iter().map(|text| 2 + text.len()).sum::<usize>();
        let packet = buffer.get_mut(..length).ok_or(Malformed::Long)?;
        packet[0] = self.kind;
        packet[1] = self.host;
        packet[2..4].copy_from_slice(&self.id.to_le_bytes());
        packet[4..12].copy_from_slice(&self.numbers[0].to_le_bytes());
        packet[12..20].copy_from_slice(&self.numbers[1].to_le_bytes());
        let mut at = HEADER_BYTES;
        for text in self.texts {
            let size = u16::try_from(text.len()).map_err(|_| Malformed::Long)?;
            packet[at..at + 2].copy_from_slice(&size.to_le_bytes());
            packet[at + 2..at + 2 + text.len()].copy_from_slice(text);
            at += 2 + text.len();
        }
        Ok(packet)
    }

    /// The texts are no longer than these limits. 0: this kind has no such text.
    pub fn limits(&self, limits: [usize; TEXTS]) -> Result<(), Malformed> {
        if self.texts.iter().zip(limits).all(|(text, most)| text.len() <= most) {
            return Ok(());
        }
        let absent =
            self.texts.iter().zip(limits).any(|(text, most)| !text.is_empty() && most == 0);
        Err(if absent { Malformed::Field } else { Malformed::Long })
    }
}
