//! Opening what is to be read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use encoding_rs::{UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;
use flate2::bufread::MultiGzDecoder;

/// The bytes that every gzip stream begins with.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// How files begin that are packed otherwise.
const ARCHIVES: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\x00", "compressed with xz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"%PDF", "a PDF"),
];

/// The most bytes that are looked at to see what a file is.
const LONGEST_MARK: usize = 6;

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// Opens a file, or standard input for `-`, and unpacks gzip.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path.as_os_str() == "-" {
        unpacked(io::stdin())
    } else {
        unpacked(File::open(path)?)
    }
}

/// Unpacks gzip where it is, and makes UTF-8 of UTF-16; says so where it is packed otherwise.
pub fn unpacked(source: impl Read + 'static) -> io::Result<Box<dyn BufRead>> {
    let (head, whole) = beginning(source);
    if head.starts_with(GZIP) {
        let (head, whole) = beginning(MultiGzDecoder::new(whole));
        return in_utf8(&head, whole);
    }
    in_utf8(&head, whole)
}

/// The first bytes, and everything; what goes wrong at the beginning goes wrong again when it is read.
fn beginning(mut source: impl Read + 'static) -> (Vec<u8>, impl BufRead + 'static) {
    let mut head = Vec::with_capacity(LONGEST_MARK);
    let longest = u64::try_from(LONGEST_MARK).unwrap_or(u64::MAX);
    let read = source.by_ref().take(longest).read_to_end(&mut head);
    let rest: Box<dyn Read> = match read {
        Ok(_) => Box::new(source),
        Err(error) => Box::new(Failing(Some(error))),
    };
    let whole = io::Cursor::new(head.clone()).chain(rest);
    (head, BufReader::with_capacity(CHUNK, whole))
}

/// What cannot be read further.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Text in UTF-8, whatever its encoding; an error where it is no text.
fn in_utf8(head: &[u8], whole: impl BufRead + 'static) -> io::Result<Box<dyn BufRead>> {
    if let Some((_, name)) = ARCHIVES.iter().find(|(mark, _)| head.starts_with(mark)) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it is {name}; unpack it, and import what it holds"),
        ));
    }
    // By its byte order mark, or because JSON begins with an ASCII character.
    let encoding = match *head {
        [0xff, 0xfe, ..] => UTF_16LE,
        [0xfe, 0xff, ..] => UTF_16BE,
        [first, 0, ..] if first != 0 => UTF_16LE,
        [0, second, ..] if second != 0 => UTF_16BE,
        _ => return Ok(Box::new(whole)),
    };
    let decoded = DecodeReaderBytesBuilder::new()
        .encoding(Some(encoding))
        .build(whole);
    Ok(Box::new(BufReader::with_capacity(CHUNK, decoded)))
}
