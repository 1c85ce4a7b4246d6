//! Reading events from files.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::input;
use super::split::{Piece, PieceReceiver, SplitError, is_one_object, split_for};
use crate::atlassian::{AuditRecord, Mapper, Memo, is_unresolved, unusable};
use pagewarden_core::model::{Event, StreamName, Unusable};

/// The most events of a batch.
const BATCH: usize = 500;

/// The longest object in a file: a whole API page.
const CAP: usize = 16 << 20;

/// What a file holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Recognised by the shape of each record.
    #[default]
    Auto,
    /// Organisation events.
    OrgEvents,
    /// Site audit records.
    SiteAudit,
}

/// Some of what a file holds, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportBatch {
    /// Organisation events.
    pub events: Vec<Event>,
    /// Site audit records; their events do not name their site.
    pub audit: Vec<AuditRecord>,
    /// Records that look like organisation events, or like nothing, and cannot be used.
    pub unusable_access: Vec<Unusable>,
    /// Records that look like site audit records and cannot be used.
    pub unusable_audit: Vec<Unusable>,
}

impl ImportBatch {
    /// How many records it holds, usable or not.
    fn len(&self) -> usize {
        self.events.len()
            + self.audit.len()
            + self.unusable_access.len()
            + self.unusable_audit.len()
    }
}

/// What a file came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Organisation events.
    pub events: u64,
    /// Site audit records.
    pub audit: u64,
    /// Records that cannot be used.
    pub unusable: u64,
    /// Events of reading that name nothing that was read.
    pub unresolved: u64,
}

/// Why a file was not read to its end. What could be read before has been delivered.
#[derive(Debug, thiserror::Error)]
pub enum ImportError<E> {
    /// It cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read {} at line {line}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Where.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// It ends too early.
    #[error("{} ends too early, at line {line}", path.display())]
    Truncated {
        /// Which file.
        path: PathBuf,
        /// Where.
        line: u64,
    },
    /// Whoever took the batches would have no more.
    #[error("what was read could not be taken")]
    Sink(E),
}

/// Reads a file (`-` for standard input) and gives out what it holds, at most 500 records at a time.
pub fn read<E>(
    path: &Path,
    format: Format,
    mapper: &Mapper,
    each: &mut dyn FnMut(ImportBatch) -> Result<(), E>,
) -> Result<ImportSummary, ImportError<E>> {
    let from = input::open(path).map_err(|source| ImportError::Open {
        path: path.into(),
        source,
    })?;
    read_from(from, path, format, mapper, each)
}

/// Reads what a reader gives; `path` is its name.
pub fn read_from<E>(
    from: impl BufRead,
    path: &Path,
    format: Format,
    mapper: &Mapper,
    each: &mut dyn FnMut(ImportBatch) -> Result<(), E>,
) -> Result<ImportSummary, ImportError<E>> {
    let mut sorter = Sorter {
        format,
        mapper,
        memo: Memo::default(),
        usual: StreamName::Access,
        batch: ImportBatch::default(),
        summary: ImportSummary::default(),
        each,
    };
    let ended = split_for(from, CAP, &mut sorter);
    // What was readable is delivered, however it ended.
    let flushed = if matches!(ended, Err(SplitError::Sink(_))) {
        Ok(())
    } else {
        sorter.flush()
    };
    match ended {
        Err(SplitError::Sink(error)) => Err(ImportError::Sink(error)),
        _ if flushed.is_err() => flushed.map(|()| sorter.summary).map_err(ImportError::Sink),
        Err(SplitError::Truncated(line)) => Err(ImportError::Truncated {
            path: path.into(),
            line,
        }),
        Err(SplitError::Read(line, source)) => Err(ImportError::Read {
            path: path.into(),
            line,
            source,
        }),
        Ok(()) => Ok(sorter.summary),
    }
}

/// Sorts what a file holds into batches.
struct Sorter<'a, E> {
    format: Format,
    mapper: &'a Mapper,
    memo: Memo,
    /// What the last record was: the next one mostly is the same.
    usual: StreamName,
    batch: ImportBatch,
    summary: ImportSummary,
    each: &'a mut dyn FnMut(ImportBatch) -> Result<(), E>,
}

/// The fields that identify an object's format.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Shape {
    attributes: Option<IgnoredAny>,
    creation_date: Option<IgnoredAny>,
    data: Option<IgnoredAny>,
    results: Option<IgnoredAny>,
}

/// The records of a page.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default, borrow, alias = "results")]
    data: Vec<&'a RawValue>,
}

impl<E> PieceReceiver<E> for Sorter<'_, E> {
    fn piece(&mut self, _: u64, piece: &Piece<'_>) -> Result<(), E> {
        match piece {
            Piece::Object(json) => self.object(json),
            Piece::Broken(reason, head) => self.broken(unusable(reason, head)),
        }
    }

    fn line(&mut self, _: u64, text: &str) -> Result<bool, E> {
        // What can be used is one object: to look first whether it is costs as much again.
        let taken = self.quick(text);
        if taken {
            self.flush_full()?;
        } else if is_one_object(text) {
            self.object(text)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

impl<E> Sorter<'_, E> {
    /// A record, or a page of them.
    fn object(&mut self, json: &str) -> Result<(), E> {
        if self.quick(json) {
            return self.flush_full();
        }
        let shape: Shape = serde_json::from_str(json).unwrap_or_default();
        let is_record = shape.attributes.is_some() || shape.creation_date.is_some();
        let is_page = shape.data.is_some() || shape.results.is_some();
        match serde_json::from_str::<Page<'_>>(json) {
            Ok(page) if is_page && !is_record => {
                for row in page.data {
                    if self.quick(row.get()) {
                        self.flush_full()?;
                    } else {
                        let shape: Shape = serde_json::from_str(row.get()).unwrap_or_default();
                        self.record(row.get(), &shape)?;
                    }
                }
                Ok(())
            }
            _ => self.record(json, &shape),
        }
    }

    /// Takes a record that is what the last one was.
    fn quick(&mut self, json: &str) -> bool {
        match self.wanted(self.usual) {
            StreamName::Access => self
                .mapper
                .event_with(json, &mut self.memo)
                .map(|event| self.event(event))
                .is_ok(),
            StreamName::Audit => self
                .mapper
                .audit(json)
                .map(|record| self.audit(record))
                .is_ok(),
        }
    }

    /// Takes a record of this shape.
    fn record(&mut self, json: &str, shape: &Shape) -> Result<(), E> {
        let guess = match shape {
            Shape {
                creation_date: Some(_),
                attributes: None,
                ..
            } => StreamName::Audit,
            Shape {
                attributes: Some(_),
                ..
            } => StreamName::Access,
            _ => self.usual,
        };
        self.usual = self.wanted(guess);
        match self.usual {
            StreamName::Access => match self.mapper.event_with(json, &mut self.memo) {
                Ok(event) => self.event(event),
                Err(record) => return self.broken(record),
            },
            StreamName::Audit => match self.mapper.audit(json) {
                Ok(record) => self.audit(record),
                Err(record) => return self.broken(record),
            },
        }
        self.flush_full()
    }

    /// What a record is to be read as.
    const fn wanted(&self, guess: StreamName) -> StreamName {
        match self.format {
            Format::Auto => guess,
            Format::OrgEvents => StreamName::Access,
            Format::SiteAudit => StreamName::Audit,
        }
    }

    /// Counts and keeps an event.
    fn event(&mut self, event: Event) {
        self.summary.events += 1;
        self.summary.unresolved += u64::from(is_unresolved(&event));
        self.batch.events.push(event);
    }

    /// Counts and keeps a site audit record.
    fn audit(&mut self, record: AuditRecord) {
        self.summary.audit += 1;
        self.batch.audit.push(record);
    }

    /// Counts and keeps a record that cannot be used.
    fn broken(&mut self, record: Unusable) -> Result<(), E> {
        self.summary.unusable += 1;
        match self.wanted(self.usual) {
            StreamName::Access => self.batch.unusable_access.push(record),
            StreamName::Audit => self.batch.unusable_audit.push(record),
        }
        self.flush_full()
    }

    /// Gives a full batch out.
    fn flush_full(&mut self) -> Result<(), E> {
        if self.batch.len() >= BATCH {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Gives the batch out, unless it is empty.
    fn flush(&mut self) -> Result<(), E> {
        if self.batch.len() == 0 {
            return Ok(());
        }
        (self.each)(std::mem::take(&mut self.batch))
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
