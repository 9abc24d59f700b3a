//! Known sets of parallel text and of questions.

use std::path::Path;

use super::addresses::{file_name, Official, CMRC, SQUAD, TATOEBA, WMT16_EN_RO};
use crate::data::{ParallelText, ReadingSet, TsvColumns, Unfit};
use crate::error::Result;

impl ParallelText {
    /// WMT16's English-Romanian development and test set, from a folder with their four SGM files.
    ///
    /// [`Known::Wmt16EnRo`](crate::data::Known::Wmt16EnRo) fetches them; training text has to come from elsewhere.
    ///
    /// # Errors
    /// As [`ParallelText::from_sgm`].
    ///
    /// # Reference
    /// Bojar et al., "Findings of the 2016 conference on machine translation", 2016.
    pub fn wmt16_en_ro(folder: &Path) -> Result<[Self; 2]> {
        let [dev, dev_reference, test, test_reference] = WMT16_EN_RO.map(|name| folder.join(name));
        let read =
            |source: &Path, reference: &Path| Self::from_sgm(source, reference, ["en", "ro"], Unfit::Refuse);
        Ok([
            read(&dev, &dev_reference)?.named("newsdev2016"),
            read(&test, &test_reference)?.named("newstest2016"),
        ])
    }

    /// Tatoeba's English-Romanian pairs, from a folder with `ron.txt`, as manythings.org packs them.
    ///
    /// [`Known::TatoebaEnRo`](crate::data::Known::TatoebaEnRo) fetches the file. [`ParallelText::split`] makes its parts.
    ///
    /// # Errors
    /// As [`ParallelText::from_tsv`].
    pub fn tatoeba_en_ro(folder: &Path) -> Result<Self> {
        let path = folder.join(TATOEBA);
        Ok(Self::from_tsv(&path, ["en", "ro"], TsvColumns::default(), Unfit::Refuse)?.named("Tatoeba"))
    }
}

impl ReadingSet {
    /// SQuAD 1.1's training and development set, from a folder with `train-v1.1.json` and `dev-v1.1.json`.
    ///
    /// [`Known::Squad`](crate::data::Known::Squad) fetches them. What cannot be used is left out and counted.
    ///
    /// # Errors
    /// As [`ReadingSet::squad`].
    ///
    /// # Reference
    /// Rajpurkar, Zhang, Lopyrev, Liang, "SQuAD: 100,000+ questions for machine comprehension of text", EMNLP 2016.
    pub fn squad_1_1(folder: &Path) -> Result<[Self; 2]> {
        let read = |file: &Official| Self::squad(&folder.join(file.name()), Unfit::Skip);
        let [train, dev] = &SQUAD;
        Ok([read(train)?.named("SQuAD train"), read(dev)?.named("SQuAD dev")])
    }

    /// CMRC 2018's training, development and trial set, from a folder with `cmrc2018_train.json`, `cmrc2018_dev.json` and
    /// `cmrc2018_trial.json`.
    ///
    /// [`Known::Cmrc2018`](crate::data::Known::Cmrc2018) fetches them. What cannot be used is left out and counted: two questions
    /// of the trial set have no text.
    ///
    /// # Errors
    /// As [`ReadingSet::squad`].
    ///
    /// # Reference
    /// Cui et al., "A span-extraction dataset for Chinese machine reading comprehension", EMNLP 2019.
    pub fn cmrc2018(folder: &Path) -> Result<[Self; 3]> {
        let read = |(url, _): (&str, &str), name: &str| -> Result<Self> {
            Ok(Self::squad(&folder.join(file_name(url)), Unfit::Skip)?.named(name))
        };
        let [train, dev, trial] = CMRC;
        Ok([read(train, "CMRC train")?, read(dev, "CMRC dev")?, read(trial, "CMRC trial")?])
    }
}
