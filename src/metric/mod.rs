//! quick
use crate::error::*;
/// d
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction { /// h
 HigherIsBetter, /// l
 LowerIsBetter }
impl Direction { /// s
 pub fn sign(self)->f64 { if self==Self::HigherIsBetter {1.0} else {-1.0} } }
/// s
#[derive(Debug, Clone, PartialEq)]
pub struct Scores { values: Vec<f32>, classes: usize }
impl Scores {
 /// n
 pub fn new(values: Vec<f32>, classes: usize)->Result<Self>{ if classes==0||values.is_empty()||values.len()%classes!=0 {return Err(Error::shape("scores","rows x classes",values.len()))} check_finite("scores",&values)?; Ok(Self{values,classes}) }
 /// r
 pub fn rows(&self)->usize{self.values.len()/self.classes}
 /// c
 pub fn classes(&self)->usize{self.classes}
 /// r
 pub fn row(&self,i:usize)->&[f32]{&self.values[i*self.classes..(i+1)*self.classes]}
 /// v
 pub fn values(&self)->&[f32]{&self.values}
 /// a
 pub fn argmax(&self,i:usize)->usize{let r=self.row(i);let mut b=0;for k in 1..r.len(){if r[k]>r[b]{b=k}}b}
}
/// m
pub trait Metric<P: ?Sized = Scores, T: ?Sized = [usize]>: Send + Sync { /// n
 fn name(&self)->&str; /// d
 fn direction(&self)->Direction; /// v
 fn value(&self,p:&P,t:&T)->Result<f64>; }
/// t
#[derive(Debug,Clone)]
pub struct TopK{k:usize}
impl TopK{ /// a
 pub const ACCURACY: TopK = TopK{k:1};}
impl Metric for TopK{ fn name(&self)->&str{"accuracy"} fn direction(&self)->Direction{Direction::HigherIsBetter}
 fn value(&self,p:&Scores,t:&[usize])->Result<f64>{ let n=(0..p.rows()).filter(|&i|p.argmax(i)==t[i]).count(); let _=self.k; Ok(n as f64/t.len() as f64)}}
/// f
#[derive(Debug,Clone)]
pub struct MacroF1;
impl Metric for MacroF1{ fn name(&self)->&str{"macro-F1"} fn direction(&self)->Direction{Direction::HigherIsBetter}
 fn value(&self,p:&Scores,t:&[usize])->Result<f64>{ let k=p.classes();let(mut tp,mut pp,mut tt)=(vec![0f64;k],vec![0f64;k],vec![0f64;k]);
 for i in 0..p.rows(){let a=p.argmax(i);pp[a]+=1.;tt[t[i]]+=1.;if a==t[i]{tp[a]+=1.}}
 let mut s=0.;let mut n=0.;for c in 0..k{ if pp[c]+tt[c]>0.{s+=2.*tp[c]/(pp[c]+tt[c]);n+=1.}} Ok(s/n)}}
/// c
pub fn class_counts(l:&[usize],k:usize)->Result<Vec<usize>>{let mut c=vec![0;k];for &x in l{c[x]+=1}Ok(c)}
