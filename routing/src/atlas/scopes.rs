//! Client-subnet scopes: the widest uniform prefix around each leaf.

/// Merges equal siblings. `leaves` are (prefix length, view) in address order and partition the
/// family; each scope is the length of the widest uniform prefix around its leaf. A leaf without a
/// view is not uniform inside, and gets no scope.
pub(super) fn merge(
    bits: u8,
    leaves: impl Iterator<Item = (u8, Option<u32>)>,
    start: impl Fn(usize) -> u128,
    scopes: &mut [u8],
) {
    struct Block {
        len: u8,
        first: usize,
        end: usize,
        view: Option<u32>,
    }
    let settle = |block: &Block, scopes: &mut [u8]| {
        if block.view.is_some() {
            scopes[block.first..block.end].fill(block.len);
        }
    };
    let mut stack: Vec<Block> = Vec::new();
    for (i, (len, view)) in leaves.enumerate() {
        let mut top = Block {
            len,
            first: i,
            end: i + 1,
            view,
        };
        while let Some(left) = stack.pop_if(|left| {
            // Siblings: equal length, and the left one has a zero in its last bit.
            left.len == top.len && left.len > 0 && (start(left.first) >> (bits - left.len)) & 1 == 0
        }) {
            let view = if left.view == top.view {
                left.view
            } else {
                None
            };
            if view.is_none() {
                settle(&left, scopes);
                settle(&top, scopes);
            }
            top = Block {
                len: left.len - 1,
                first: left.first,
                end: top.end,
                view,
            };
        }
        stack.push(top);
    }
    for block in &stack {
        settle(block, scopes);
    }
}
