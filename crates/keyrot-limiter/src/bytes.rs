//! Numbers as few bytes: seven bits each, the lowest first, so that a ledger fits in a page.

/// Adds `n` to `out`.
pub(crate) fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Bytes to be read again.
#[derive(Debug)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    /// The next number; `None` when there is none.
    pub(crate) fn take(&mut self) -> Option<u64> {
        let mut n = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            n |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }

    /// Nothing, if everything has been read.
    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_nonsense_does_not() {
        let numbers = [0, 1, 127, 128, 16_383, 16_384, 1 << 40, u64::MAX - 1, u64::MAX];
        let mut out = Vec::new();
        numbers.iter().for_each(|&n| put(&mut out, n));
        let mut bytes = Bytes(&out);
        assert_eq!(numbers.map(|_| bytes.take().expect("written")), numbers);
        assert_eq!((bytes.end(), bytes.take()), (Some(()), None));
        assert_eq!(Bytes(&[0xff; 10]).take(), None, "more than 64 bits");
        assert_eq!(Bytes(&[0x80; 20]).take(), None, "no end");
    }
}
