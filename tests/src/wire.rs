//! Connections that can be cut or slowed down in the middle of a reply.
//!
//! The server above speaks ordinary HTTP/1; what it writes passes through here, where a request's handler may
//! have left an order for its own connection. Faults are TCP-level: nothing here speaks TLS.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

use crate::locked;

/// What becomes of the bytes of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Order {
    #[default]
    Pass,
    /// So many more bytes, then the connection breaks.
    CutAfter(usize),
    /// So many bytes at a time, with a pause between.
    Drip(usize, Duration),
}

/// A handler's grip on its own connection.
#[derive(Debug, Clone, Default)]
pub struct Connection(Arc<Mutex<Order>>);

impl Connection {
    /// Break the connection before the reply.
    pub fn cut(&self) {
        self.cut_after(0);
    }

    /// Break the connection after so many bytes of the reply, its head included.
    pub fn cut_after(&self, bytes: usize) {
        *locked(&self.0) = Order::CutAfter(bytes);
    }

    /// Send the reply a few bytes at a time.
    pub fn drip(&self, bytes: usize, pause: Duration) {
        *locked(&self.0) = Order::Drip(bytes.max(1), pause);
    }

    /// Back to normal, for the next reply on the same connection.
    pub fn pass(&self) {
        *locked(&self.0) = Order::Pass;
    }
}

impl Connected<IncomingStream<'_, Doorway>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Doorway>) -> Self {
        stream.io().connection.clone()
    }
}

/// A listener whose connections obey [`Connection`].
#[derive(Debug)]
pub struct Doorway {
    listener: TcpListener,
    closed: Arc<AtomicBool>,
}

impl Doorway {
    /// Listens; once `closed` is set, every connection made here breaks.
    #[must_use]
    pub const fn new(listener: TcpListener, closed: Arc<AtomicBool>) -> Self {
        Self { listener, closed }
    }
}

impl Listener for Doorway {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        let (stream, from) = Listener::accept(&mut self.listener).await;
        // Without it the kernel may hold a small reply back; a failure only costs time.
        drop(stream.set_nodelay(true));
        let line = Line { stream, connection: Connection::default(), closed: Arc::clone(&self.closed), pause: None };
        (line, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One accepted connection.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    connection: Connection,
    closed: Arc<AtomicBool>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Line {
    fn broken(&self) -> io::Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the stand-in is down"));
        }
        Ok(())
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.broken()?;
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        self.broken()?;
        Poll::Ready(read)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.broken()?;
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let order = *locked(&self.connection.0);
        let allowed = match order {
            Order::Pass => bytes,
            Order::CutAfter(0) => {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, "cut on purpose")));
            }
            Order::CutAfter(most) | Order::Drip(most, _) => bytes.get(..most).unwrap_or(bytes),
        };
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, allowed))?;
        match order {
            Order::Pass => {}
            Order::CutAfter(most) => *locked(&self.connection.0) = Order::CutAfter(most.saturating_sub(written)),
            Order::Drip(_, pause) => self.pause = Some(Box::pin(tokio::time::sleep(pause))),
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
