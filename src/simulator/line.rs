//! Connections that can be cut in the middle of an answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// How many bytes may still be written to a connection.
#[derive(Debug, Clone)]
pub(crate) struct Line(Arc<AtomicUsize>);

impl Line {
    /// Lets so many more bytes pass, then ends the connection; at once, by a reset, where there are none.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.0.store(bytes, Ordering::SeqCst);
    }
}

/// Listens for connections that can be cut.
#[derive(Debug)]
pub(crate) struct Lines(pub(crate) TcpListener);

/// A connection that can be cut.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The connection.
    stream: TcpStream,
    /// How much may still pass.
    line: Line,
}

impl Listener for Lines {
    type Io = Wire;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Wire, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Small answers are not to wait for the client's acknowledgement; without it they are only slower.
        stream.set_nodelay(true).unwrap_or_default();
        (
            Wire {
                stream,
                line: Line(Arc::new(AtomicUsize::new(usize::MAX))),
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.io().line.clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let left = this.line.0.load(Ordering::SeqCst);
        if left == 0 {
            // With no linger the end of the connection is a reset. What was written before a cut is on its way.
            this.stream.set_zero_linger().unwrap_or_default();
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let now = bytes.get(..left.min(bytes.len())).unwrap_or_default();
        let written = Pin::new(&mut this.stream).poll_write(context, now);
        if let Poll::Ready(Ok(written)) = &written
            && left != usize::MAX
        {
            this.line.0.store(left - written, Ordering::SeqCst);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
