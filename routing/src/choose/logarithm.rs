//! HOT: a logarithm in integers.

/// -log2(hash / 2^64) in units of 2^-26, from a table of 256 steps with linear interpolation; error
/// below 2^-17. Integer throughout, so equal on all machines.
#[inline]
pub(super) fn neg_log2(hash: u64) -> u64 {
    let zeros = u64::from(hash.leading_zeros());
    if zeros == 64 {
        return 64 << 26;
    }
    let mantissa = hash << zeros << 1;
    let step = (mantissa >> 56) as usize;
    let rest = (mantissa >> 24) & 0xffff_ffff;
    let (low, high) = (LOG2[step], LOG2[step + 1]);
    let log = low + (((high - low) * rest) >> 32);
    ((zeros + 1) << 26) - log
}

/// log2(1 + i/256) in units of 2^-26.
const LOG2: [u64; 257] = {
    let mut table = [0; 257];
    let mut i = 1;
    while i < 257 {
        // Binary logarithm by repeated squaring of x in [1, 2), in units of 2^-62.
        let mut x: u128 = (1u128 << 62) + ((i as u128) << 54);
        let mut log = 0u64;
        if i == 256 {
            log = 1 << 26;
        } else {
            let mut bit = 26;
            while bit > 0 {
                bit -= 1;
                x = (x * x) >> 62;
                if x >> 63 != 0 {
                    x >>= 1;
                    log |= 1 << bit;
                }
            }
        }
        table[i] = log;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::mix;

    #[test]
    fn the_logarithm_is_right() {
        for i in 1..10_000u64 {
            let hash = mix(i);
            let exact = -((hash as f64) / 2f64.powi(64)).log2();
            let ours = neg_log2(hash) as f64 / f64::from(1 << 26);
            assert!((exact - ours).abs() < 1e-5, "{hash}: {exact} {ours}");
        }
    }
}
