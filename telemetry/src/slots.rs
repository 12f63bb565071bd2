//! Cells by slot number, made in chunks when first touched, never moved: what the threads of a node
//! share about endpoints, clusters and apps.

use once_cell::race::OnceBox;

/// Cells by slot number.
#[derive(Debug)]
pub struct Slots<T> {
    branches: Box<[Branch<T>]>,
}

type Chunk<T> = OnceBox<[T; CHUNK]>;
type Branch<T> = OnceBox<[Chunk<T>; BRANCH]>;

const CHUNK: usize = 256;
const BRANCH: usize = 128;
const BRANCHES: usize = 128;

impl<T: Default> Slots<T> {
    /// Nobody has touched any.
    pub fn new() -> Self {
        Self {
            branches: (0..BRANCHES).map(|_| OnceBox::new()).collect(),
        }
    }

    /// The cell of a slot, unless nobody has touched its chunk.
    #[inline]
    pub fn made(&self, slot: u32) -> Option<&T> {
        let slot = slot as usize;
        let branch = self.branches.get(slot / CHUNK / BRANCH)?.get()?;
        Some(&branch[slot / CHUNK % BRANCH].get()?[slot % CHUNK])
    }

    /// The cell of a slot; `None` beyond all bounds.
    #[inline]
    pub fn get(&self, slot: u32) -> Option<&T> {
        self.made(slot).or_else(|| self.make(slot))
    }

    #[cold]
    fn make(&self, slot: u32) -> Option<&T> {
        let slot = slot as usize;
        let branch = self.branches.get(slot / CHUNK / BRANCH)?;
        let branch = branch.get_or_init(|| Box::new([const { OnceBox::new() }; BRANCH]));
        let chunk = branch[slot / CHUNK % BRANCH]
            .get_or_init(|| Box::new(std::array::from_fn(|_| T::default())));
        Some(&chunk[slot % CHUNK])
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
        assert!(slots.get((1 << 22) - 1).is_some() && slots.get(1 << 22).is_none());
        assert!(slots.get(u32::MAX).is_none());
    }
}
