//! The inner loops that most of the time goes to, and a place for better ones.
//!
//! The library has no `unsafe`, so it cannot use instructions that only some processors have.
//! A program may: it asks the processor once, and hands over [`Kernels`] of its own. They
//! make the same numbers, or the streams are lost; a program that installs any has to test
//! them against [`PORTABLE`].

#[cfg(feature = "std")]
use crate::mixer;
pub use crate::ssm::WIDE;
use crate::ssm::numbers;
#[cfg(feature = "std")]
pub use crate::ssm::numbers::{DITHER, LATER};
#[cfg(feature = "std")]
use std::sync::OnceLock;

/// A vector of a wide model in bytes: its channels as little-endian numbers of 16 bits.
pub type Vector = [u8; 2 * WIDE];

/// A number of 16 bits for each channel.
pub type Numbers = [i16; WIDE];

/// A sum for each channel.
pub type Sums = [i32; WIDE];

/// See [`Kernels::learn_nodes`].
pub type LearnNodes = fn(
    nodes: [&mut Vector; 2],
    f: &Numbers,
    errors: [i16; 2],
    steps: [i16; 2],
    noise: u16,
    sums: &mut Sums,
);

/// See [`Kernels::dot`].
pub type Dot = fn(weights: &[u8], places: &[usize], inputs: &[i16], sums: &mut [i32]);

/// See [`Kernels::train`].
pub type Train = fn(weights: &mut [u8], places: &[usize], steps: &[i16], inputs: &[i16]);

/// The inner loops.
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    /// Adds to each of the sums `2^-5` of the products of 16 inputs at a time, on 13 bits,
    /// and its weights. The weights of two inputs for each output, then the next two:
    /// `WIDE * WIDE` numbers of 16 bits.
    pub product: fn(weights: &[u8], inputs: &Numbers, sums: &mut Sums),
    /// Sums of input times gradient over pairs of steps. Each has a pair of numbers of 16
    /// bits for each channel at the front of its `stride` bytes of `inputs`, and a pair for
    /// one output likewise of `gradients`. Gives the disjunction of all `x ^ (x >> 31)`.
    pub outer: fn(inputs: &[u8], gradients: &[u8], stride: usize, sums: &mut Sums) -> i32,
    /// Adds `(a weights[0] + b weights[1]) >> 4` to the sums.
    pub embed: fn(a: &Vector, b: &Vector, weights: [i16; 2], sums: &mut Sums),
    /// Products of a gradient and the [`Vector`]s at these places of the rows: the sum of
    /// the products of each two channels, over 2^7. No number of the gradient is -2^15.
    pub along: fn(rows: &[u8], places: &[usize], gradient: &Numbers, products: &mut [i32]),
    /// Moves these vectors: adds `(((gradient * step) >> 16) + 1) >> 1`, saturating, one after
    /// the other, as some may be the same.
    pub learn_rows: fn(rows: &mut [u8], places: &[usize], steps: &[i16], gradient: &Numbers),
    /// Moves two nodes of a head along `f`: adds `(f * step + noise) >> 16`, saturating, to
    /// each weight. The noise is 16 bits without a sign: lane i of vector v of eight of node n
    /// has `noise + DITHER[i] + (2 v + n) LATER`. Adds to each of the sums `2^-5` of the
    /// errors, none of them -2^15, times the weights before.
    pub learn_nodes: LearnNodes,
    /// Sums of weight times input over `2^10`, for the weights at each of these places, as
    /// many as inputs, a multiple of eight. The products of 13 vectors of eight are added up
    /// in four lanes, that of input `i` in `i / 2 % 4`; each lane loses four digits, and the
    /// total the other six.
    pub dot: Dot,
    /// Adds `(input * step + 2^15) >> 16`, saturating, to the weights at each of these places.
    pub train: Train,
}

/// Those of the library.
#[cfg(feature = "std")]
pub const PORTABLE: Kernels = Kernels {
    product: numbers::product::<WIDE>,
    outer: numbers::outer::<WIDE>,
    embed: |a, b, weights, sums| numbers::embed(a, b, weights, sums),
    along: numbers::along::<WIDE>,
    learn_rows: numbers::learn_rows::<WIDE>,
    learn_nodes: |[first, second], f, errors, steps, noise, sums| {
        numbers::learn_nodes([first, second], f, errors, steps, noise, sums);
    },
    dot: mixer::dot_rows,
    train: mixer::train_rows,
};

#[cfg(feature = "std")]
static INSTALLED: OnceLock<Kernels> = OnceLock::new();

/// Has all models use these from now on. Whoever comes second is not heard.
#[cfg(feature = "std")]
pub fn install(kernels: Kernels) {
    let _ = INSTALLED.set(kernels);
}

/// The same for a model of any width: what was installed is for [`WIDE`].
#[inline(always)]
pub(crate) fn product<const E: usize>(weights: &[u8], inputs: &[i16; E], sums: &mut [i32; E]) {
    let same = (inputs.as_slice().try_into(), sums.as_mut_slice().try_into());
    match (installed(), same) {
        (Some(kernels), (Ok(inputs), Ok(sums))) => (kernels.product)(weights, inputs, sums),
        _ => numbers::product(weights, inputs, sums),
    }
}

/// See [`product`].
#[inline(always)]
pub(crate) fn outer<const E: usize>(
    inputs: &[u8],
    gradients: &[u8],
    stride: usize,
    sums: &mut [i32; E],
) -> i32 {
    match (installed(), sums.as_mut_slice().try_into()) {
        (Some(kernels), Ok(sums)) => (kernels.outer)(inputs, gradients, stride, sums),
        _ => numbers::outer(inputs, gradients, stride, sums),
    }
}

/// See [`product`]; `a` and `b` have `E` channels at least.
#[inline(always)]
pub(crate) fn embed<const E: usize>(a: &[u8], b: &[u8], weights: [i16; 2], sums: &mut [i32; E]) {
    let same = (a.first_chunk(), b.first_chunk(), sums.as_mut_slice().try_into());
    match (installed(), same) {
        (Some(kernels), (Some(a), Some(b), Ok(sums))) => (kernels.embed)(a, b, weights, sums),
        _ => numbers::embed(a, b, weights, sums),
    }
}

/// See [`product`].
#[inline(always)]
pub(crate) fn along<const E: usize>(
    rows: &[u8],
    places: &[usize],
    gradient: &[i16; E],
    products: &mut [i32],
) {
    match (installed(), gradient.as_slice().try_into()) {
        (Some(kernels), Ok(gradient)) => (kernels.along)(rows, places, gradient, products),
        _ => numbers::along(rows, places, gradient, products),
    }
}

/// See [`product`].
#[inline(always)]
pub(crate) fn learn_rows<const E: usize>(
    rows: &mut [u8],
    places: &[usize],
    steps: &[i16],
    gradient: &[i16; E],
) {
    match (installed(), gradient.as_slice().try_into()) {
        (Some(kernels), Ok(gradient)) => (kernels.learn_rows)(rows, places, steps, gradient),
        _ => numbers::learn_rows(rows, places, steps, gradient),
    }
}

/// See [`product`].
#[inline(always)]
pub(crate) fn learn_nodes<const E: usize>(
    [first, second]: [&mut [u8]; 2],
    f: &[i16; E],
    errors: [i16; 2],
    steps: [i16; 2],
    noise: u16,
    df: &mut [i32; E],
) {
    if let (Some(kernels), Ok(f), Ok(df), Some(first), Some(second)) = (
        installed(),
        f.as_slice().try_into(),
        df.as_mut_slice().try_into(),
        first.first_chunk_mut(),
        second.first_chunk_mut(),
    ) {
        return (kernels.learn_nodes)([first, second], f, errors, steps, noise, df);
    }
    numbers::learn_nodes([first, second], f, errors, steps, noise, df);
}

/// What was installed.
#[inline(always)]
pub(crate) fn installed() -> Option<&'static Kernels> {
    #[cfg(feature = "std")]
    return INSTALLED.get();
    #[cfg(not(feature = "std"))]
    None
}
