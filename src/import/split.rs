//! Parting a stream of bytes into JSON objects, whatever stands around them.
//!
//! Arrays at the top are descended into, so NDJSON, one array over many lines or on one, and documents one behind the
//! other all come out as objects. A broken one costs itself: the next line that can only be a new object begins anew.

use std::io::{self, BufRead, Read as _};

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// An object, whole by its brackets.
    Object(&'a str),
    /// Something that is no object, with the reason and its beginning.
    Broken(&'static str, &'a str),
}

/// How reading ended, other than by its end.
#[derive(Debug)]
pub(super) enum SplitError<E> {
    /// The bytes ended, in the middle of something or of a compressed stream, at this line.
    Truncated(u64),
    /// They could not be read, at this line.
    Read(u64, io::Error),
    /// Whoever took the pieces would have no more.
    Sink(E),
}

/// Receiver of pieces, each with the line it ends on.
pub(super) trait PieceReceiver<E> {
    /// Takes a piece.
    fn piece(&mut self, line: u64, piece: &Piece<'_>) -> Result<(), E>;

    /// Takes a line that begins and ends like an object, if it is one; where it is not, says false, and gets its pieces.
    /// Who parses it anyway need not have it looked through before.
    fn line(&mut self, line: u64, text: &str) -> Result<bool, E> {
        let one = is_one_object(text);
        if one {
            self.piece(line, &Piece::Object(text))?;
        }
        Ok(one)
    }
}

/// A closure that takes pieces.
struct Each<F>(F);

impl<E, F: FnMut(u64, &Piece<'_>) -> Result<(), E>> PieceReceiver<E> for Each<F> {
    fn piece(&mut self, line: u64, piece: &Piece<'_>) -> Result<(), E> {
        self.0(line, piece)
    }
}

/// Why a piece is broken.
const NOT_JSON: &str = "not JSON";
/// Why a piece is not there.
const TOO_LONG: &str = "longer than is ever read";

/// The longest line that is tried as a whole before it is looked at byte by byte.
const LINE: u64 = 1 << 20;

/// Whether we are in a text of the object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InText {
    No,
    Yes,
    /// And the next byte is escaped.
    Escaped,
}

/// The splitter's place in the stream.
struct Splitter<'f, E> {
    /// The longest object, in bytes.
    cap: usize,
    /// The object so far.
    value: Vec<u8>,
    /// The open brackets of the object, innermost last.
    open: Vec<u8>,
    /// The open arrays around objects.
    arrays: usize,
    text: InText,
    /// The last byte of the object that is not white, strings aside.
    last: u8,
    /// Whether the object is longer than the cap; the rest of it is dropped.
    too_long: bool,
    /// Whether the bytes up to the end of the line are no object.
    junk: bool,
    /// Whether the next byte is the first of a line.
    line_start: bool,
    line: u64,
    receiver: &'f mut dyn PieceReceiver<E>,
}

/// Splits what a reader gives into objects of at most `cap` bytes, each passed on with the line it ends on.
pub(super) fn split<E>(
    from: impl BufRead,
    cap: usize,
    each: impl FnMut(u64, &Piece<'_>) -> Result<(), E>,
) -> Result<(), SplitError<E>> {
    split_for(from, cap, &mut Each(each))
}

/// The same, for a receiver that handles whole lines.
pub(super) fn split_for<E>(
    mut from: impl BufRead,
    cap: usize,
    receiver: &mut dyn PieceReceiver<E>,
) -> Result<(), SplitError<E>> {
    let mut splitter = Splitter {
        cap,
        value: Vec::new(),
        open: Vec::new(),
        arrays: 0,
        text: InText::No,
        last: 0,
        too_long: false,
        junk: false,
        line_start: true,
        line: 1,
        receiver,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        match from.by_ref().take(LINE).read_until(b'\n', &mut line) {
            Ok(0) => return splitter.end(),
            Ok(_) => {
                let bytes = if splitter.line == 1 && splitter.idle() {
                    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line)
                } else {
                    &line
                };
                splitter.take_line(bytes).map_err(SplitError::Sink)?;
            }
            Err(error) => {
                splitter.take_bytes(&line).map_err(SplitError::Sink)?;
                return Err(match error.kind() {
                    io::ErrorKind::UnexpectedEof => SplitError::Truncated(splitter.line),
                    _ => SplitError::Read(splitter.line, error),
                });
            }
        }
    }
}

impl<E> Splitter<'_, E> {
    /// Whether we are between objects.
    fn idle(&self) -> bool {
        self.value.is_empty() && !self.junk && !self.too_long
    }

    /// Takes a line, or the beginning of a very long one. Most lines are one object each and need no closer look.
    fn take_line(&mut self, line: &[u8]) -> Result<(), E> {
        let bare = line.trim_ascii();
        let bare = bare.strip_suffix(b",").unwrap_or(bare);
        let whole =
            line.ends_with(b"\n") && bare.first() == Some(&b'{') && bare.last() == Some(&b'}');
        if self.idle()
            && self.line_start
            && whole
            && bare.len() <= self.cap
            && let Ok(text) = str::from_utf8(bare)
            && self.receiver.line(self.line, text)?
        {
            self.line += 1;
            return Ok(());
        }
        self.take_bytes(line)
    }

    /// Takes bytes one by one.
    fn take_bytes(&mut self, bytes: &[u8]) -> Result<(), E> {
        for byte in bytes {
            self.take(*byte)?;
        }
        Ok(())
    }

    /// Takes a byte, wherever we are.
    fn take(&mut self, byte: u8) -> Result<(), E> {
        let line_start = self.line_start;
        self.line_start = byte == b'\n';
        if self.junk {
            self.take_junk(byte)?;
        } else if self.open.is_empty() {
            self.take_between(byte);
        } else if self.text != InText::No {
            self.take_in_string(byte)?;
        } else {
            // A line that begins an object where none can be: the one before it was cut off.
            if line_start && byte == b'{' && !self.fits_object() {
                self.emit(Some(NOT_JSON))?;
            }
            self.take_in_object(byte)?;
        }
        if byte == b'\n' {
            self.line += 1;
        }
        Ok(())
    }

    /// Takes a byte of what is no object.
    fn take_junk(&mut self, byte: u8) -> Result<(), E> {
        if byte == b'\n' {
            return self.emit(Some(NOT_JSON));
        }
        self.push(byte);
        Ok(())
    }

    /// Takes a byte between objects.
    fn take_between(&mut self, byte: u8) {
        match byte {
            b'[' => self.arrays += 1,
            b']' => self.arrays = self.arrays.saturating_sub(1),
            // The record separator of JSON text sequences counts as white.
            b',' | 0x1e => {}
            byte if byte.is_ascii_whitespace() => {}
            b'{' => {
                self.push(byte);
                self.open.push(byte);
                self.last = byte;
            }
            _ => {
                self.push(byte);
                self.junk = true;
            }
        }
    }

    /// Takes a byte of a text; no text goes over a line's end.
    fn take_in_string(&mut self, byte: u8) -> Result<(), E> {
        if byte == b'\n' {
            return self.emit(Some(NOT_JSON));
        }
        self.push(byte);
        self.text = match (self.text, byte) {
            (InText::Yes, b'\\') => InText::Escaped,
            (InText::Yes, b'"') => InText::No,
            _ => InText::Yes,
        };
        Ok(())
    }

    /// Takes a byte of an object.
    fn take_in_object(&mut self, byte: u8) -> Result<(), E> {
        self.push(byte);
        match byte {
            b'"' => self.text = InText::Yes,
            b'{' | b'[' => self.open.push(byte),
            b'}' | b']' => {
                self.open.pop();
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.last = byte;
        }
        if self.open.is_empty() {
            self.emit(None)
        } else {
            Ok(())
        }
    }

    /// Whether an object may stand here.
    fn fits_object(&self) -> bool {
        match self.open.last() {
            Some(b'[') => matches!(self.last, b'[' | b','),
            _ => self.last == b':',
        }
    }

    /// Keeps a byte, up to the cap.
    fn push(&mut self, byte: u8) {
        if self.value.len() < self.cap {
            self.value.push(byte);
        } else {
            self.too_long = true;
        }
    }

    /// Gives out what was gathered and begins anew.
    fn emit(&mut self, broken: Option<&'static str>) -> Result<(), E> {
        let value = std::mem::take(&mut self.value);
        let broken = if self.too_long {
            Some(TOO_LONG)
        } else {
            broken
        };
        self.open.clear();
        (self.text, self.too_long, self.junk) = (InText::No, false, false);
        let text = match (broken, value.get(..400)) {
            // Only its beginning is passed on.
            (Some(_), Some(head)) => String::from_utf8_lossy(head),
            _ => String::from_utf8_lossy(&value),
        };
        let piece = match broken {
            Some(reason) => Piece::Broken(reason, &text),
            None => Piece::Object(&text),
        };
        self.receiver.piece(self.line, &piece)
    }

    /// The end of the bytes: in the middle of something, it came too early.
    fn end(&mut self) -> Result<(), SplitError<E>> {
        if self.junk {
            return self.emit(Some(NOT_JSON)).map_err(SplitError::Sink);
        }
        if self.value.is_empty() && self.arrays == 0 {
            Ok(())
        } else {
            Err(SplitError::Truncated(self.line))
        }
    }
}

/// Whether a line that begins and ends like an object is one, and not two or a piece of one.
pub(super) fn is_one_object(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
