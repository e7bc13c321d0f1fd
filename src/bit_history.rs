//! Bit histories: what a context has seen, in one byte.
//!
//! A state stands for a pair of bounded counts `(n0, n1)` and, while both are
//! small, the last bit. It is nonstationary: a bit that contradicts a long run
//! discounts the run, so recent evidence outweighs old ("Data Compression
//! Explained", 4.1.3). States are numbered by their total count, so that the
//! number of a state is also its worth when a slot must be replaced; state 0
//! has seen nothing.

/// The most that the larger count may be, given the smaller one.
const BOUND: [u8; 6] = [20, 48, 15, 8, 6, 5];

/// Up to this total the last bit is part of the state.
const LAST_BIT_TOTAL: u8 = 17;

/// A bit history spelled out.
#[derive(Clone, Copy)]
struct Counts {
    n: [u8; 2],
    last: u8,
}

const fn allowed(n0: u8, n1: u8) -> bool {
    let (less, more) = if n0 < n1 { (n0, n1) } else { (n1, n0) };
    (less as usize) < BOUND.len() && more <= BOUND[less as usize]
}

const fn has_last(n0: u8, n1: u8) -> bool {
    n0 > 0 && n1 > 0 && n0 + n1 <= LAST_BIT_TOTAL
}

/// All states in order, and their number.
const STATES: ([Counts; 256], usize) = {
    let mut states = [Counts { n: [0, 0], last: 0 }; 256];
    let mut len = 0;
    let mut total = 0;
    while total <= 2 * BOUND[1] {
        let mut n1 = 0;
        while n1 <= total {
            let n0 = total - n1;
            if allowed(n0, n1) {
                let mut last = 0;
                while last < 1 + has_last(n0, n1) as u8 {
                    states[len] = Counts { n: [n0, n1], last };
                    len += 1;
                    last += 1;
                }
            }
            n1 += 1;
        }
        total += 1;
    }
    (states, len)
};

/// What is left of a count when the other bit appears.
const fn discount(n: u8) -> u8 {
    match n {
        0..=5 => n,
        6 => 5,
        7 => 6,
        _ => 7,
    }
}

const fn successor(state: Counts, bit: usize) -> Counts {
    let mut n = state.n;
    n[bit] += 1;
    if n[1 - bit] > 2 {
        n[1 - bit] = discount(n[1 - bit]);
    }
    // Shrink to the nearest allowed pair of about the same ratio.
    while !allowed(n[0], n[1]) {
        let (more, less) = if n[0] >= n[1] { (0, 1) } else { (1, 0) };
        if n[less] < 2 {
            n[more] -= 1;
        } else {
            let (m, l) = (n[more] as u16, n[less] as u16);
            n[more] = ((m * (l - 1) + l / 2) / l) as u8;
            n[less] -= 1;
        }
    }
    Counts { n, last: if has_last(n[0], n[1]) { bit as u8 } else { 0 } }
}

/// `NEXT[state][bit]`.
pub(crate) const NEXT: [[u8; 2]; 256] = {
    let (states, len) = STATES;
    assert!(len <= 256);
    let mut next = [[0; 2]; 256];
    let mut s = 0;
    while s < len {
        let mut bit = 0;
        while bit < 2 {
            let to = successor(states[s], bit);
            let mut t = 0;
            while states[t].n[0] != to.n[0]
                || states[t].n[1] != to.n[1]
                || states[t].last != to.last
            {
                t += 1;
            }
            next[s][bit] = t as u8;
            bit += 1;
        }
        s += 1;
    }
    next
};

/// What the counts alone say of the next bit, Q16.
pub(crate) const fn prior(state: usize) -> u16 {
    let [n0, n1] = STATES.0[state].n;
    // (n1 + 0.4) / (n0 + n1 + 0.8)
    ((65536 * (n1 as u32 * 10 + 4)) / ((n0 as u32 + n1 as u32) * 10 + 8)) as u16
}

/// All ones where only one of the two bits has been seen, else 0.
pub(crate) const RUN: [i16; 256] = {
    let mut run = [0; 256];
    let mut s = 0;
    while s < STATES.1 {
        let [n0, n1] = STATES.0[s].n;
        run[s] = -(((n0 == 0) != (n1 == 0)) as i16);
        s += 1;
    }
    run
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_a_byte_and_is_closed() {
        let (states, len) = STATES;
        assert!((200..=256).contains(&len), "{len} states");
        for next in &NEXT[..len] {
            for (bit, &t) in next.iter().enumerate() {
                let t = usize::from(t);
                assert!(t > 0 && t < len);
                assert!(states[t].n[bit] > 0);
            }
        }
    }

    #[test]
    fn ordered_by_evidence() {
        let (states, len) = STATES;
        let total = |s: usize| states[s].n[0] + states[s].n[1];
        assert!((1..len).all(|s| total(s - 1) <= total(s)));
    }

    #[test]
    fn recent_bits_weigh_more() {
        let walk = |bits: &[usize]| bits.iter().fold(0, |s, &bit| NEXT[usize::from(s)][bit]);
        let long = walk(&[0; 30]);
        let turned = NEXT[usize::from(NEXT[usize::from(long)][1])][1];
        assert!(prior(long.into()) < 2000);
        assert!(prior(turned.into()) > 13_000);
    }
}
