//! All integration tests in one binary: one link, one run.
//!
//! With the features `composed` and `cuda` there is `device` alone: it compares everything that computes with the numbers of the
//! CPU's fused operations, which the others hold.

#[cfg(not(feature = "composed"))]
mod ablation;
#[cfg(not(feature = "composed"))]
mod baseline;
#[cfg(all(feature = "cli", not(feature = "composed")))]
mod cli;
#[cfg(not(feature = "composed"))]
mod conformance;
#[cfg(not(feature = "composed"))]
mod conv_net;
#[cfg(not(feature = "composed"))]
mod correlation;
#[cfg(not(feature = "composed"))]
mod data;
mod device;
#[cfg(not(feature = "composed"))]
mod display;
#[cfg(not(feature = "composed"))]
mod download;
#[cfg(not(feature = "composed"))]
mod experiment;
#[cfg(not(feature = "composed"))]
mod features;
#[cfg(not(feature = "composed"))]
mod images;
#[cfg(not(feature = "composed"))]
mod layering;
#[cfg(not(feature = "composed"))]
mod methods;
#[cfg(not(feature = "composed"))]
mod metric;
#[cfg(not(feature = "composed"))]
mod metric_table;
#[cfg(not(feature = "composed"))]
mod ops;
#[cfg(not(feature = "composed"))]
mod pose;
#[cfg(not(feature = "composed"))]
mod pose_data;
#[cfg(not(feature = "composed"))]
mod pose_task;
#[cfg(not(feature = "composed"))]
mod reader;
#[cfg(not(feature = "composed"))]
mod reading_data;
#[cfg(not(feature = "composed"))]
mod reading_loss;
#[cfg(not(feature = "composed"))]
mod reading_metric;
#[cfg(not(feature = "composed"))]
mod reading_task;
#[cfg(not(feature = "composed"))]
mod report;
#[cfg(not(feature = "composed"))]
mod resume;
#[cfg(not(feature = "composed"))]
mod sequence;
#[cfg(not(feature = "composed"))]
mod soft_sort;
#[cfg(not(feature = "composed"))]
mod sort;
#[cfg(not(feature = "composed"))]
mod sorting_task;
#[cfg(not(feature = "composed"))]
mod support;
#[cfg(not(feature = "composed"))]
mod surrogate;
#[cfg(not(feature = "composed"))]
mod sweep;
#[cfg(not(feature = "composed"))]
mod toy;
#[cfg(not(feature = "composed"))]
mod translation;
#[cfg(not(feature = "composed"))]
mod translation_data;
#[cfg(not(feature = "composed"))]
mod translation_models;
#[cfg(not(feature = "composed"))]
mod translation_task;
