//! quick
use crate::error::*; use rand::{seq::SliceRandom,Rng,SeedableRng}; use rand_chacha::ChaCha8Rng; use std::io::Read;
/// d
#[derive(Debug,Clone)]
pub struct Dataset{name:String,features:Vec<f32>,labels:Vec<usize>,width:usize,classes:usize}
/// s
#[derive(Debug,Clone)]
pub struct Split{ /// v
 pub validation:f64, /// t
 pub test:f64, /// s
 pub seed:u64}
impl Default for Split{fn default()->Self{Self{validation:0.15,test:0.25,seed:0}}}
/// s
#[derive(Debug,Clone)]
pub struct Splits{ /// t
 pub train:Dataset, /// v
 pub validation:Dataset, /// t
 pub test:Dataset}
impl Dataset{
 /// d
 pub fn digits()->Result<Self>{let mut s=String::new();flate2::read::GzDecoder::new(&include_bytes!("../../data/digits.csv.gz")[..]).read_to_string(&mut s).map_err(Error::io("digits"))?;
  let(mut f,mut l)=(vec![],vec![]);for line in s.lines(){let v:Vec<f32>=line.split(',').filter_map(|x|x.trim().parse().ok()).collect();f.extend(v[..64].iter().map(|x|x/16.));l.push(v[64] as usize)}
  Ok(Self{name:"digits".into(),features:f,labels:l,width:64,classes:10})}
 /// n
 pub fn name(&self)->&str{&self.name}
 /// r
 pub fn rows(&self)->usize{self.labels.len()}
 /// w
 pub fn width(&self)->usize{self.width}
 /// c
 pub fn classes(&self)->usize{self.classes}
 /// r
 pub fn row(&self,i:usize)->&[f32]{&self.features[i*self.width..(i+1)*self.width]}
 /// f
 pub fn features(&self)->&[f32]{&self.features}
 /// l
 pub fn labels(&self)->&[usize]{&self.labels}
 /// t
 pub fn take(&self,ix:&[usize])->Self{Self{name:self.name.clone(),features:ix.iter().flat_map(|&i|self.row(i).to_vec()).collect(),labels:ix.iter().map(|&i|self.labels[i]).collect(),width:self.width,classes:self.classes}}
 /// s
 pub fn split(&self,o:&Split)->Result<Splits>{let mut r=ChaCha8Rng::seed_from_u64(o.seed);let mut p=[vec![],vec![],vec![]];
  for c in 0..self.classes{let mut ix:Vec<usize>=(0..self.rows()).filter(|&i|self.labels[i]==c).collect();ix.shuffle(&mut r);let n=ix.len() as f64;let(v,t)=((n*o.validation).round() as usize,(n*o.test).round() as usize);
   p[1].extend(&ix[..v]);p[2].extend(&ix[v..v+t]);p[0].extend(&ix[v+t..]);}
  Ok(Splits{train:self.take(&p[0]),validation:self.take(&p[1]),test:self.take(&p[2])})}
 /// n
 pub fn with_label_noise(&self,rate:f64,seed:u64)->Result<Self>{let mut r=ChaCha8Rng::seed_from_u64(seed);let mut d=self.clone();for l in &mut d.labels{if r.gen::<f64>()<rate{*l=(*l+r.gen_range(1..self.classes))%self.classes}}Ok(d)}
 /// l
 pub fn long_tailed(&self,ratio:f64,seed:u64)->Result<Self>{let mut r=ChaCha8Rng::seed_from_u64(seed);let mut all=vec![];for c in 0..self.classes{let mut ix:Vec<usize>=(0..self.rows()).filter(|&i|self.labels[i]==c).collect();ix.shuffle(&mut r);
  let n=((ix.len() as f64)*ratio.powf(-(c as f64)/(self.classes as f64-1.))).round().max(1.) as usize;all.extend(&ix[..n]);}Ok(self.take(&all))}
 /// b
 pub fn batches(&self,size:usize,seed:u64)->Result<Vec<Vec<usize>>>{let mut r=ChaCha8Rng::seed_from_u64(seed);let mut ix:Vec<usize>=(0..self.rows()).collect();ix.shuffle(&mut r);Ok(ix.chunks(size).map(<[usize]>::to_vec).collect())}
}
