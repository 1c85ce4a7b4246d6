//! Connections that can be cut or hang in the middle of an answer, and a door that can be closed for a while.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// How an answer ends that does not end well.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// After so many bytes the connection ends; at once, by a reset, where there are none.
    Cut(usize),
    /// After so many bytes nothing more comes.
    Hang(usize),
    /// The connection is reset, and others are refused for so long.
    Away(Duration),
}

/// What may still be written to a connection.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// How many bytes.
    left: Arc<AtomicUsize>,
    /// Whether it hangs behind them, instead of being cut.
    hangs: Arc<AtomicBool>,
    /// The door through which it came.
    door: Arc<Door>,
}

impl Line {
    /// Lets it end so.
    pub(crate) fn end(&self, end: End) {
        let left = match end {
            End::Cut(bytes) => bytes,
            End::Hang(bytes) => {
                self.hangs.store(true, Ordering::SeqCst);
                bytes
            }
            End::Away(pause) => {
                self.door.close(pause);
                0
            }
        };
        self.left.store(left, Ordering::SeqCst);
    }
}

/// Tells the listener to refuse connections.
#[derive(Debug, Default)]
struct Door {
    pause: Mutex<Duration>,
    closing: Notify,
}

impl Door {
    /// Closes for so long.
    fn close(&self, pause: Duration) {
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = pause;
        self.closing.notify_one();
    }

    /// Waits until it is to be closed, and returns for how long.
    async fn closed(&self) -> Duration {
        self.closing.notified().await;
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens for connections that can be cut; none while nobody is at home.
#[derive(Debug)]
pub(crate) struct Lines {
    listener: Option<TcpListener>,
    address: SocketAddr,
    door: Arc<Door>,
    /// Bound and never listening: keeps the port ours while nothing listens there.
    _place: TcpSocket,
}

impl Lines {
    /// Listens on a free port of the loopback interface.
    pub(crate) fn open() -> io::Result<Self> {
        let place = socket((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = place.local_addr()?;
        Ok(Self {
            listener: Some(socket(address)?.listen(BACKLOG)?),
            address,
            door: Arc::default(),
            _place: place,
        })
    }
}

/// A socket that shares its place with others of ours.
fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

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
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, Self::Addr) {
        loop {
            let Some(listener) = &mut self.listener else {
                match socket(self.address).and_then(|socket| socket.listen(BACKLOG)) {
                    Ok(listener) => self.listener = Some(listener),
                    Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                }
                continue;
            };
            tokio::select! {
                (stream, address) = Listener::accept(listener) => {
                    // Small answers are not to wait for the client's acknowledgement; without it they are only slower.
                    stream.set_nodelay(true).unwrap_or_default();
                    let line = Line {
                        left: Arc::new(AtomicUsize::new(usize::MAX)),
                        hangs: Arc::default(),
                        door: Arc::clone(&self.door),
                    };
                    return (Wire { stream, line }, address);
                }
                pause = self.door.closed() => {
                    self.listener = None;
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
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
        let left = this.line.left.load(Ordering::SeqCst);
        if left == 0 && this.line.hangs.load(Ordering::SeqCst) {
            // Nobody wakes it: it ends when the other side has had enough.
            return Poll::Pending;
        }
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
            this.line.left.store(left - written, Ordering::SeqCst);
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
