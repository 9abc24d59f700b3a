//! Multi-head attention, sentence by sentence and head by head, over the tokens alone.

use dfdx::prelude::*;
use rayon::prelude::*;

use super::attention::Attention;
use super::attention_kernels::{OnScores, OnSlopes, Softmax, SoftmaxTangent};
use super::jet::{restore, take, Jet, Taken};
use super::layer_norm_fused::add;
use super::rows::Sequences;
use crate::error::Result;
use crate::ops::gemm::{product, Factor, Into};
use crate::ops::simd::vectorised;
use crate::Dev;

/// What a sentence leaves for the backward pass, head after head: the softmax P, then, where tangents are carried, Ṡ − Σ P Ṡ.
type Saved = Vec<f32>;

pub(super) fn attention<T: Tape<f32, Dev>>(qkv: [Jet<T>; 3], at: Attention) -> Result<Jet<T>> {
    let shape = *qkv[0].value.shape();
    let mut tape = T::default();
    let qkv = qkv.map(|jet| {
        jet.take().map(|(taken, other)| {
            tape = std::mem::take(&mut tape).merge(other);
            taken
        })
    });
    let [q, k, v] = qkv;
    let qkv = [q?, k?, v?];
    let plan = Plan::new(at, shape.1);
    let carries = qkv.iter().all(|part| part.tangents.is_some());
    let (values, tangents, saved) = plan.forward(&qkv, carries);
    let out = Jet::<T>::give(values, tangents, shape)?;

    let ghost = out.clone();
    tape.add_backward_op(move |gradients| {
        let on_value = take(gradients, &ghost.value)?;
        let on_tangent = ghost.tangent.as_ref().map(|tangent| take(gradients, tangent)).transpose()?;
        let found = plan.backward(&qkv, &saved, &on_value, on_tangent.as_deref());
        for (part, (on_part, on_along)) in qkv.iter().zip(&found) {
            add(gradients.get_or_alloc_mut(&part.value)?, on_part);
            if let (Some(tangent), true) = (&part.tangent, carries) {
                add(gradients.get_or_alloc_mut(tangent)?, on_along);
            }
        }
        if let (Some(tangent), Some(on_tangent)) = (&ghost.tangent, on_tangent) {
            restore(gradients, tangent, on_tangent)?;
        }
        restore(gradients, &ghost.value, on_value)
    });
    Ok(out.on(tape))
}

/// The sentences and sizes of a call.
struct Plan {
    queries: Sequences,
    keys: Sequences,
    heads: usize,
    causal: bool,
    width: usize,
}

/// One head of one sentence: where its numbers lie.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// First row, and how many, of queries and of keys.
    queries: (usize, usize),
    pub(super) keys: (usize, usize),
    /// First column, and how many.
    first: usize,
    columns: usize,
    width: usize,
    causal: bool,
}

impl Head {
    /// How many keys a query sees.
    #[inline(always)]
    pub(super) fn seen(&self, query: usize) -> usize {
        if self.causal {
            query + 1
        } else {
            self.keys.1
        }
    }

    pub(super) fn scale(&self) -> f32 {
        (self.columns as f32).sqrt().recip()
    }

    /// This head's columns of some rows, without gaps.
    fn read(&self, from: &[f32], (first, count): (usize, usize), to: &mut Vec<f32>) {
        to.clear();
        for row in first..first + count {
            to.extend_from_slice(&from[row * self.width + self.first..][..self.columns]);
        }
    }

    /// The reverse of [`Head::read`], into rows of one sentence.
    fn write(&self, from: &[f32], to: &mut [f32]) {
        for (from, to) in from.chunks_exact(self.columns).zip(to.chunks_exact_mut(self.width)) {
            to[self.first..][..self.columns].copy_from_slice(from);
        }
    }

    fn q<'a>(&self, values: &'a [f32]) -> Factor<'a> {
        Factor::plain(values, self.queries.1, self.columns)
    }

    fn k<'a>(&self, values: &'a [f32]) -> Factor<'a> {
        Factor::plain(values, self.keys.1, self.columns)
    }

    fn p<'a>(&self, values: &'a [f32]) -> Factor<'a> {
        Factor::plain(values, self.queries.1, self.keys.1)
    }
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    q_dot: Vec<f32>,
    k_dot: Vec<f32>,
    v_dot: Vec<f32>,
    g: Vec<f32>,
    g_dot: Vec<f32>,
    on_p: Vec<f32>,
    on_p_dot: Vec<f32>,
    p_dot: Vec<f32>,
    out: Vec<f32>,
}

/// Clears a buffer to so many zeros.
fn blank(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.clear();
    buffer.resize(len, 0.0);
    buffer
}

/// Cuts rows into those of each sentence.
fn cut<'a>(rows: &'a mut [f32], sequences: &Sequences, width: usize) -> Vec<&'a mut [f32]> {
    let mut rest = rows;
    let cut = |span: usize| {
        // Nothing to cut where tangents are not carried.
        let here = (span * width).min(rest.len());
        let (piece, after) = std::mem::take(&mut rest).split_at_mut(here);
        rest = after;
        piece
    };
    sequences.spans().map(cut).collect()
}

impl Plan {
    fn new(at: Attention, width: usize) -> Self {
        let (queries, keys) = (at.queries.clone(), at.keys.clone());
        Self { queries, keys, heads: at.heads, causal: at.causal, width }
    }

    /// The heads of each sentence.
    fn sentences(&self) -> Vec<Vec<Head>> {
        let columns = self.width / self.heads;
        let sentence = |(queries, keys): (std::ops::Range<usize>, std::ops::Range<usize>)| {
            let head = |head: usize| Head {
                queries: (queries.start, queries.len()),
                keys: (keys.start, keys.len()),
                first: head * columns,
                columns,
                width: self.width,
                causal: self.causal,
            };
            (0..self.heads).map(head).filter(|head| head.queries.1 > 0 && head.keys.1 > 0).collect()
        };
        self.queries.ranges().zip(self.keys.ranges()).map(sentence).collect()
    }

    fn forward(&self, qkv: &[Taken; 3], carries: bool) -> (Vec<f32>, Option<Vec<f32>>, Vec<Saved>) {
        let len = self.queries.rows() * self.width;
        let (mut values, mut tangents) = (vec![0.0; len], vec![0.0; if carries { len } else { 0 }]);
        let mut saved: Vec<Saved> = vec![Vec::new(); self.queries.len()];
        let outs = cut(&mut values, &self.queries, self.width);
        let outs = outs.into_iter().zip(cut(&mut tangents, &self.queries, self.width)).zip(&mut saved);
        let mut work: Vec<_> = self.sentences().into_iter().zip(outs).collect();
        work.par_iter_mut().for_each_init(Scratch::default, |scratch, (heads, ((out, out_dot), saved))| {
            for head in heads.iter() {
                forward_head(*head, qkv, carries, scratch, out, out_dot, saved);
            }
        });
        (values, carries.then_some(tangents), saved)
    }

    /// The gradients of queries, keys and values, and of their tangents.
    fn backward(
        &self,
        qkv: &[Taken; 3],
        saved: &[Saved],
        on_value: &[f32],
        on_tangent: Option<&[f32]>,
    ) -> [(Vec<f32>, Vec<f32>); 3] {
        let width = self.width;
        let mut found = [&self.queries, &self.keys, &self.keys].map(|sequences| {
            let len = sequences.rows() * width;
            (vec![0.0; len], vec![0.0; if on_tangent.is_some() { len } else { 0 }])
        });
        let [q, k, v] = &mut found;
        let queries =
            cut(&mut q.0, &self.queries, width).into_iter().zip(cut(&mut q.1, &self.queries, width));
        let keys = cut(&mut k.0, &self.keys, width).into_iter().zip(cut(&mut k.1, &self.keys, width));
        let values = cut(&mut v.0, &self.keys, width).into_iter().zip(cut(&mut v.1, &self.keys, width));
        let grads = queries.zip(keys).zip(values).map(|((q, k), v)| [q, k, v]);
        let mut work: Vec<_> = self.sentences().into_iter().zip(saved).zip(grads).collect();
        work.par_iter_mut().for_each_init(Scratch::default, |scratch, ((heads, saved), grads)| {
            let carried = if on_tangent.is_some() { 2 } else { 1 };
            for (i, head) in heads.iter().enumerate() {
                let len = carried * head.queries.1 * head.keys.1;
                let saved = &saved[i * len..(i + 1) * len];
                backward_head(*head, qkv, saved, on_value, on_tangent, scratch, grads);
            }
        });
        found
    }
}

/// One head of one sentence forward.
fn forward_head(
    head: Head,
    [q, k, v]: &[Taken; 3],
    carries: bool,
    scratch: &mut Scratch,
    out: &mut [f32],
    out_dot: &mut [f32],
    saved: &mut Saved,
) {
    let (queries, keys) = (head.queries.1, head.keys.1);
    head.read(&q.values, head.queries, &mut scratch.q);
    head.read(&k.values, head.keys, &mut scratch.k);
    head.read(&v.values, head.keys, &mut scratch.v);
    let first = saved.len();
    saved.resize(first + queries * keys * if carries { 2 } else { 1 }, 0.0);
    let (p, slopes) = saved[first..].split_at_mut(queries * keys);
    product(head.q(&scratch.q), head.k(&scratch.k).transposed(), p, Into::Replace);
    vectorised(Softmax { p: &mut *p, head });
    let result = blank(&mut scratch.out, queries * head.columns);
    product(head.p(p), head.k(&scratch.v), result, Into::Replace);
    head.write(result, out);
    let (Some(q_dot), Some(k_dot), Some(v_dot)) = (&q.tangents, &k.tangents, &v.tangents) else { return };
    if !carries {
        return;
    }
    head.read(q_dot, head.queries, &mut scratch.q_dot);
    head.read(k_dot, head.keys, &mut scratch.k_dot);
    head.read(v_dot, head.keys, &mut scratch.v_dot);
    product(head.q(&scratch.q_dot), head.k(&scratch.k).transposed(), slopes, Into::Replace);
    product(head.q(&scratch.q), head.k(&scratch.k_dot).transposed(), slopes, Into::Add);
    let p_dot = blank(&mut scratch.p_dot, queries * keys);
    vectorised(SoftmaxTangent { p: &*p, slopes: &mut *slopes, p_dot: &mut *p_dot, head });
    let result = blank(&mut scratch.out, queries * head.columns);
    product(head.p(p_dot), head.k(&scratch.v), result, Into::Replace);
    product(head.p(p), head.k(&scratch.v_dot), result, Into::Add);
    head.write(result, out_dot);
}

/// One head of one sentence backward.
///
/// With O = P V and Ȯ = Ṗ V + P V̇, Ṗ = P C, C = Ṡ − Σ P Ṡ, S = s Q Kᵀ, Ṡ = s (Q̇ Kᵀ + Q K̇ᵀ), and G, Ġ the gradients at O, Ȯ:
/// - V gets Pᵀ G + Ṗᵀ Ġ, V̇ gets Pᵀ Ġ;
/// - at Ṗ there is A = Ġ Vᵀ, so Ṡ gets B = P (A − Σ P A);
/// - at P there is G Vᵀ + Ġ V̇ᵀ + A C − Ṡ Σ P A; a row's constants drop out in S's gradient P (· − Σ P ·), and Ṡ is C but for
///   one, so C stands for it;
/// - Q gets s (gS K + B K̇), K gets s (gSᵀ Q + Bᵀ Q̇), Q̇ gets s B K, K̇ gets s Bᵀ Q.
fn backward_head(
    head: Head,
    [q, k, v]: &[Taken; 3],
    saved: &[f32],
    on_value: &[f32],
    on_tangent: Option<&[f32]>,
    scratch: &mut Scratch,
    [on_q, on_k, on_v]: &mut [(&mut [f32], &mut [f32]); 3],
) {
    let (queries, keys) = (head.queries.1, head.keys.1);
    let (p, centred) = saved.split_at(queries * keys);
    head.read(&q.values, head.queries, &mut scratch.q);
    head.read(&k.values, head.keys, &mut scratch.k);
    head.read(&v.values, head.keys, &mut scratch.v);
    head.read(on_value, head.queries, &mut scratch.g);
    let on_p = blank(&mut scratch.on_p, queries * keys);
    product(head.q(&scratch.g), head.k(&scratch.v).transposed(), on_p, Into::Replace);
    let tangents = (on_tangent, &q.tangents, &k.tangents, &v.tangents);
    let (Some(on_tangent), Some(q_dot), Some(k_dot), Some(v_dot)) = tangents else {
        vectorised(OnScores { p, on_p: &mut *on_p, head });
        let out = &mut scratch.out;
        let mut give = |a: Factor, b: Factor, rows: usize, to: &mut [f32]| {
            product(a, b, blank(out, rows * head.columns), Into::Replace);
            head.write(out, to);
        };
        give(head.p(on_p), head.k(&scratch.k), queries, on_q.0);
        give(head.p(on_p).transposed(), head.q(&scratch.q), keys, on_k.0);
        give(head.p(p).transposed(), head.q(&scratch.g), keys, on_v.0);
        return;
    };
    head.read(q_dot, head.queries, &mut scratch.q_dot);
    head.read(k_dot, head.keys, &mut scratch.k_dot);
    head.read(v_dot, head.keys, &mut scratch.v_dot);
    head.read(on_tangent, head.queries, &mut scratch.g_dot);
    product(head.q(&scratch.g_dot), head.k(&scratch.v_dot).transposed(), on_p, Into::Add);
    let on_slopes = blank(&mut scratch.on_p_dot, queries * keys);
    product(head.q(&scratch.g_dot), head.k(&scratch.v).transposed(), on_slopes, Into::Replace);
    let p_dot = blank(&mut scratch.p_dot, queries * keys);
    vectorised(OnSlopes {
        p,
        centred,
        on_p: &mut *on_p,
        on_slopes: &mut *on_slopes,
        p_dot: &mut *p_dot,
        head,
    });
    let (on_p, on_slopes, p_dot) = (&*on_p, &*on_slopes, &*p_dot);
    let Scratch { q, k, q_dot, k_dot, g, g_dot, out, .. } = scratch;
    let mut give = |[(a, b), (c, d)]: [(Factor, Factor); 2], rows: usize, to: &mut [f32]| {
        let out = blank(out, rows * head.columns);
        product(a, b, out, Into::Replace);
        product(c, d, out, Into::Add);
        head.write(out, to);
    };
    let (scores, slopes) = (head.p(on_p), head.p(on_slopes));
    give([(scores, head.k(k)), (slopes, head.k(k_dot))], queries, on_q.0);
    give([(scores.transposed(), head.q(q)), (slopes.transposed(), head.q(q_dot))], keys, on_k.0);
    give([(head.p(p).transposed(), head.q(g)), (head.p(p_dot).transposed(), head.q(g_dot))], keys, on_v.0);
    let mut give = |a: Factor, b: Factor, rows: usize, to: &mut [f32]| {
        product(a, b, blank(out, rows * head.columns), Into::Replace);
        head.write(out, to);
    };
    give(slopes, head.k(k), queries, on_q.1);
    give(slopes.transposed(), head.q(q), keys, on_k.1);
    give(head.p(p).transposed(), head.q(g_dot), keys, on_v.1);
}
