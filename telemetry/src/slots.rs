//! Cells by slot number, made in chunks when first touched, never moved: what the threads of a node
//! share about endpoints, clusters and apps.

use std::sync::OnceLock;

/// Cells by slot number.
#[derive(Debug)]
pub struct Slots<T> {
    chunks: Box<[OnceLock<Box<[T]>>]>,
}

const CHUNK: usize = 1_024;
const CHUNKS: usize = 4_096;

impl<T: Default> Slots<T> {
    /// Nobody has touched any.
    pub fn new() -> Self {
        Self {
            chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The cell of a slot, unless nobody has touched its chunk.
    pub fn made(&self, slot: u32) -> Option<&T> {
        let slot = slot as usize;
        self.chunks.get(slot / CHUNK)?.get()?.get(slot % CHUNK)
    }

    /// The cell of a slot; `None` beyond all bounds.
    #[inline]
    pub fn get(&self, slot: u32) -> Option<&T> {
        let slot = slot as usize;
        let chunk = self.chunks.get(slot / CHUNK)?;
        let chunk = chunk.get_or_init(|| (0..CHUNK).map(|_| T::default()).collect());
        chunk.get(slot % CHUNK)
    }
}

impl<T: Default> Default for Slots<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_beyond_all_bounds_have_no_cell() {
        let slots = Slots::<u32>::new();
        assert!(slots.made(5_000).is_none());
        assert!(slots.get(5_000).is_some() && slots.made(5_001).is_some());
        assert!(slots.get(u32::MAX).is_none());
    }
}
