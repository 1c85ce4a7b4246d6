//! Opening what is to be read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

/// The bytes that every gzip stream begins with.
const GZIP: &[u8] = &[0x1f, 0x8b];

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

/// Unpacks gzip where it is.
pub fn unpacked(source: impl Read + 'static) -> io::Result<Box<dyn BufRead>> {
    let mut head = Vec::with_capacity(GZIP.len());
    let mut source = source;
    source.by_ref().take(2).read_to_end(&mut head)?;
    let packed = head == GZIP;
    let whole = BufReader::with_capacity(CHUNK, io::Cursor::new(head).chain(source));
    if packed {
        return Ok(Box::new(BufReader::with_capacity(
            CHUNK,
            MultiGzDecoder::new(whole),
        )));
    }
    Ok(Box::new(whole))
}
