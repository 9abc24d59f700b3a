//! quick
use crate::error::*; use crate::metric::*; use rand::{Rng,SeedableRng}; use rand_chacha::ChaCha8Rng; use rand_distr::StandardNormal;
/// s
#[derive(Debug,Clone)]
pub struct Sample{ /// s
 pub scores:Scores, /// l
 pub labels:Vec<usize>, /// m
 pub metric:f64}
/// s
#[derive(Debug,Clone)]
pub struct Store{scores:Vec<f32>,labels:Vec<usize>,classes:usize}
impl Store{ /// n
 pub fn new(s:Scores,labels:Vec<usize>)->Result<Self>{Ok(Self{classes:s.classes(),scores:s.values().to_vec(),labels})}
 /// a
 pub fn append(&mut self,s:Scores,l:Vec<usize>)->Result<()>{self.scores.extend_from_slice(s.values());self.labels.extend(l);Ok(())}}
/// s
#[derive(Debug,Clone)]
pub struct Sampler{store:Option<Store>,classes:usize,rows:usize}
impl Sampler{ /// r
 pub fn random(classes:usize)->Self{Self{store:None,classes,rows:128}}
 /// s
 pub fn stored(s:Store)->Self{Self{classes:s.classes,store:Some(s),rows:128}}
 /// d
 pub fn draw(&self,m:&dyn Metric,count:usize,seed:u64)->Result<Vec<Sample>>{ (0..count).map(|i|{let mut r=ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1000003)+i as u64);
  let k=self.classes; let mut v=Vec::new(); let scale=(r.gen_range(-1.4f32..2.1)).exp();
  for _ in 0..self.rows{ match &self.store{Some(s)=>{let j=r.gen_range(0..s.labels.len());v.extend_from_slice(&s.scores[j*k..(j+1)*k])},None=>for _ in 0..k{v.push(scale*r.sample::<f32,_>(StandardNormal))}}}
  let scores=Scores::new(v,k)?; let keep=(r.gen::<f64>()*self.rows as f64) as usize;
  let labels:Vec<usize>=(0..self.rows).map(|i| if i<keep{scores.argmax(i)}else{r.gen_range(0..k)}).collect();
  let metric=m.value(&scores,&labels)?; Ok(Sample{scores,labels,metric})}).collect()}}
