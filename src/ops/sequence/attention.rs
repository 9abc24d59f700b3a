//! Multi-head attention.

use dfdx::prelude::*;

use super::jet::Jet;
use super::rows::Sequences;
use crate::error::{Error, Result};
use crate::ops::tensors::device;
use crate::{Dev, Matrix};

/// Who attends to whom.
#[derive(Debug, Clone, Copy)]
pub struct Attention<'a> {
    /// The sentences of the queries.
    pub queries: &'a Sequences,
    /// The sentences of the keys and values; as many as of queries, sentence i sees sentence i alone.
    pub keys: &'a Sequences,
    /// How many heads; they divide the width.
    pub heads: usize,
    /// Whether a query sees only keys up to its own position.
    pub causal: bool,
}

/// Multi-head scaled dot-product attention: `softmax(q kᵀ / √(width / heads)) v` for each head's columns.
///
/// Rows that hold no token are neither seen nor do they see: their results are 0, as are those of a sentence without keys.
///
/// # Shapes
/// `q` (rows of the queries, width), `k` and `v` (rows of the keys, width) → (rows of the queries, width).
///
/// # Errors
/// [`Error::Shape`] for matrices that do not fit the sentences or each other, [`Error::Parameter`] for heads that do not
/// divide the width.
///
/// # Example
/// A query that is alike to both keys takes the mean of their values; the third row holds nothing:
/// ```
/// use reloss::ops::{attention, host, matrix, Attention, Sequences};
/// let queries = Sequences::packed(vec![1]);
/// let keys = Sequences::padded(vec![2], 3)?;
/// let at = Attention { queries: &queries, keys: &keys, heads: 1, causal: false };
/// let (q, k) = (matrix(vec![0.0, 1.0], 1, 2)?, matrix(vec![0.0; 6], 3, 2)?);
/// let v = matrix(vec![1.0, 2.0, 3.0, 4.0, 99.0, 99.0], 3, 2)?;
/// assert_eq!(host(&attention(q, k, v, at)?), [2.0, 3.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2.
pub fn attention<T: Tape<f32, Dev>>(
    q: Matrix<T>,
    k: Matrix<T>,
    v: Matrix<T>,
    at: Attention,
) -> Result<Matrix<T>> {
    Ok(attend([q, k, v].map(Jet::plain), at)?.value)
}

/// [`attention`] made of dfdx's own operations.
///
/// # Errors
/// As [`attention`].
pub fn attention_composed<T: Tape<f32, Dev>>(
    q: Matrix<T>,
    k: Matrix<T>,
    v: Matrix<T>,
    at: Attention,
) -> Result<Matrix<T>> {
    check(&q, &k, &v, at)?;
    Ok(composed([q, k, v].map(Jet::plain), at)?.value)
}

/// [`attention`] of queries, keys and values that all have a tangent, or none.
pub(super) fn attend<T: Tape<f32, Dev>>(qkv: [Jet<T>; 3], at: Attention) -> Result<Jet<T>> {
    let [q, k, v] = &qkv;
    check(&q.value, &k.value, &v.value, at)?;
    #[cfg(not(feature = "composed"))]
    return super::attention_fused::attention(qkv, at);
    #[cfg(feature = "composed")]
    composed(qkv, at)
}

fn check<T: Tape<f32, Dev>>(q: &Matrix<T>, k: &Matrix<T>, v: &Matrix<T>, at: Attention) -> Result<()> {
    const NAME: &str = "attention";
    let width = q.shape().1;
    at.queries.check(NAME, q.shape().0)?;
    at.keys.check(NAME, k.shape().0)?;
    if k.shape() != v.shape() || k.shape().1 != width {
        let got = format!("{:?} and {:?}", k.shape(), v.shape());
        return Err(Error::shape(NAME, format!("keys and values of width {width}"), got));
    }
    if at.heads == 0 || width == 0 || !width.is_multiple_of(at.heads) {
        return Err(Error::parameter("heads", format!("{} do not divide a width of {width}", at.heads)));
    }
    if at.queries.len() != at.keys.len() || (at.causal && at.queries.lengths() != at.keys.lengths()) {
        let expected = format!("keys for the {} sentences of queries", at.queries.len());
        return Err(Error::shape(NAME, expected, format!("{} sentences", at.keys.len())));
    }
    Ok(())
}

/// (sentences, heads, positions, columns of a head).
type Heads<T> = Tensor<(usize, usize, usize, usize), f32, Dev, T>;

/// (sentences, positions, columns).
type Padded<T> = Tensor<(usize, usize, usize), f32, Dev, T>;

/// Rows become (sentences, positions, width), 0 where there is no token.
pub(super) fn pad<T: Tape<f32, Dev>>(x: Matrix<T>, sequences: &Sequences) -> Result<Padded<T>> {
    let (longest, width) = (sequences.longest(), x.shape().1);
    let (places, real) = sequences.places(longest);
    let shape = (sequences.len(), longest, width);
    let index = device()?.try_tensor_from_vec(places, (shape.0 * longest,))?;
    let real: Vec<f32> = real.into_iter().map(|real| f32::from(u8::from(real))).collect();
    let mask = device()?.try_tensor_from_vec(real, (shape.0, longest))?;
    let rows: Matrix<T> = x.try_gather(index)?;
    let mask = mask.try_broadcast_like::<_, Axis<2>>(&shape)?;
    Ok(rows.try_reshape_like(&shape)?.try_mul(mask)?)
}

fn split<T: Tape<f32, Dev>>(x: Matrix<T>, sequences: &Sequences, heads: usize) -> Result<Heads<T>> {
    let width = x.shape().1;
    let x = pad(x, sequences)?;
    let x = x.try_reshape_like(&(sequences.len(), sequences.longest(), heads, width / heads))?;
    Ok(x.try_permute::<_, Axes4<0, 2, 1, 3>>()?)
}

/// The inverse of [`split`]: rows that hold no token are 0.
fn join<T: Tape<f32, Dev>>(x: Heads<T>, sequences: &Sequences) -> Result<Matrix<T>> {
    let &(sentences, heads, longest, columns) = x.shape();
    let (mut index, mut real) = (vec![0; sequences.rows()], vec![0.0f32; sequences.rows()]);
    for (sentence, range) in sequences.ranges().enumerate() {
        for (t, row) in range.enumerate() {
            index[row] = sentence * longest + t;
            real[row] = 1.0;
        }
    }
    let rows = (sequences.rows(), heads * columns);
    let x = x.try_permute::<_, Axes4<0, 2, 1, 3>>()?;
    let x: Matrix<T> = x.try_reshape_like(&(sentences * longest, rows.1))?;
    let x: Matrix<T> = x.try_gather(device()?.try_tensor_from_vec(index, (rows.0,))?)?;
    let real = device()?.try_tensor_from_vec(real, (rows.0,))?;
    Ok(x.try_mul(real.try_broadcast_like::<_, Axis<1>>(&rows)?)?)
}

/// What is added to the scores, a large negative number where a query does not see a key, and 1 where it sees any.
fn masks(at: Attention) -> (Vec<f32>, Vec<f32>) {
    let (wide, long) = (at.keys.longest(), at.queries.longest());
    let (mut away, mut sees) = (Vec::new(), Vec::new());
    for (&queries, &keys) in at.queries.lengths().iter().zip(at.keys.lengths()) {
        for _ in 0..at.heads {
            for t in 0..long {
                let seen = if at.causal { keys.min(t + 1) } else { keys };
                away.extend((0..wide).map(|key| if key < seen { 0.0 } else { -1e30 }));
                sees.extend((0..wide).map(|_| if t < queries && seen > 0 { 1.0 } else { 0.0 }));
            }
        }
    }
    (away, sees)
}

pub(super) fn composed<T: Tape<f32, Dev>>(qkv: [Jet<T>; 3], at: Attention) -> Result<Jet<T>> {
    let shape = (at.queries.len(), at.heads, at.queries.longest(), at.keys.longest());
    let [q, k, v] = qkv;
    let scale = ((q.value.shape().1 / at.heads) as f32).sqrt().recip();
    let (away, sees) = masks(at);
    let away = device()?.try_tensor_from_vec(away, shape)?;
    let sees = device()?.try_tensor_from_vec(sees, shape)?;
    let turned = |x: Heads<T>| x.try_permute::<_, Axes4<0, 1, 3, 2>>();
    let queries = |x: Matrix<T>| split(x, at.queries, at.heads);
    let keys = |x: Matrix<T>| split(x, at.keys, at.heads);

    let (q, k, v) =
        ((queries(q.value)?, q.tangent), (keys(k.value)?, k.tangent), (keys(v.value)?, v.tangent));
    let scores = q.0.retaped::<T>().try_matmul(turned(k.0.retaped::<T>())?)?;
    let p = scores.try_mul(scale)?.try_add(away)?.try_softmax::<Axis<3>>()?.try_mul(sees)?;
    let tangent = match (q.1, k.1, v.1) {
        (Some(q_dot), Some(k_dot), Some(v_dot)) => {
            let one = queries(q_dot)?.try_matmul(turned(k.0.retaped::<T>())?)?;
            let other = q.0.retaped::<T>().try_matmul(turned(keys(k_dot)?)?)?;
            // The softmax's: Ṗ = P (Ṡ − Σ P Ṡ).
            let slopes = one.try_add(other)?.try_mul(scale)?;
            let share = slopes.retaped::<T>().try_mul(p.retaped::<T>())?;
            let share = share.try_sum::<(usize, usize, usize), Axis<3>>()?;
            let share = share.try_broadcast_like::<_, Axis<3>>(&shape)?;
            let p_dot = slopes.try_sub(share)?.try_mul(p.retaped::<T>())?;
            let tangent = p_dot.try_matmul(v.0.retaped::<T>())?;
            let tangent = tangent.try_add(p.retaped::<T>().try_matmul(keys(v_dot)?)?)?;
            Some(join(tangent, at.queries)?)
        }
        _ => None,
    };
    // The tapes of what was used more than once come along with the value.
    let ((_, one), (_, two)) = (q.0.split_tape(), k.0.split_tape());
    let (p, three) = p.split_tape();
    let p = p.put_tape(one.merge(two).merge(three));
    Ok(Jet { value: join(p.try_matmul(v.0)?, at.queries)?, tangent })
}
