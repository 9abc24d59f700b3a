//! All integration tests in one binary: one link, one run.

mod baseline;
#[cfg(feature = "cli")]
mod cli;
mod conformance;
mod conv_net;
mod correlation;
mod data;
mod display;
mod download;
mod experiment;
mod features;
mod images;
mod layering;
mod methods;
mod metric;
mod metric_table;
mod ops;
mod pose;
mod pose_data;
mod pose_task;
mod reader;
mod reading_data;
mod reading_loss;
mod reading_metric;
mod reading_task;
mod sequence;
mod soft_sort;
mod sort;
mod sorting_task;
mod support;
mod surrogate;
mod toy;
mod translation;
mod translation_data;
mod translation_models;
mod translation_task;
