//! Media over TCP, for networks that let no UDP through: who connects says in its first frame which call it is for.
//!
//! Source: RFC 6544 (ICE over TCP), RFC 4571 (two bytes of length before each packet). The server is passive: it accepts and never connects.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use webrtc::runtime::AsyncTcpStream;

use super::table::{Lost, Route};
use super::{Inner, count_behind, count_lost};
use crate::base::LossReason;

/// Connections that have not said yet which call they are for.
const STRANGERS: usize = 64;
/// How long they have for it.
const FIRST_FRAME: Duration = Duration::from_secs(5);
/// A first frame is a STUN request, which is much smaller.
const MAX_FIRST_BYTES: usize = 1_500;
/// A client that takes no packet for this long is given up: its stack waits for it meanwhile, and does nothing else.
const WRITE_PATIENCE: Duration = Duration::from_secs(2);
/// After a failed accept, which for want of file descriptors fails again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection that has said which call it is for.
#[derive(Debug)]
pub(super) struct Arrival {
    stream: TcpStream,
    from: SocketAddr,
    /// Its first frame, which the call must see, too.
    first: Vec<u8>,
    permit: OwnedSemaphorePermit,
}

/// Takes connections and hands them to their calls.
pub(super) fn accept(
    inner: Weak<Inner>,
    index: usize,
    listener: std::net::TcpListener,
) -> io::Result<impl Future<Output = ()> + Send> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    Ok(async move {
        loop {
            let Ok((stream, from)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(permit) = Arc::clone(&strangers).try_acquire_owned() else {
                refused();
                continue;
            };
            let inner = inner.clone();
            tokio::spawn(async move {
                if !matches!(timeout(FIRST_FRAME, introduce(&inner, index, stream, from)).await, Ok(Some(()))) {
                    refused();
                }
                drop(permit);
            });
        }
    })
}

fn refused() {
    metrics::counter!("sightline_ingest_tcp_refused_total", "reason" => LossReason::Handshake.label()).increment(1);
}

/// Reads the first frame and hands the connection to the call that it names.
async fn introduce(inner: &Weak<Inner>, index: usize, mut stream: TcpStream, from: SocketAddr) -> Option<()> {
    let _ = stream.set_nodelay(true);
    let size = stream.read_u16().await.ok()?;
    if usize::from(size) > MAX_FIRST_BYTES {
        return None;
    }
    let mut first = vec![0; 2 + usize::from(size)];
    first[..2].copy_from_slice(&size.to_be_bytes());
    stream.read_exact(&mut first[2..]).await.ok()?;
    let inner = inner.upgrade()?;
    let board = inner.board();
    let key = match board.table.named(&first[2..]).unwrap_or(Route::Lost(Lost::Stranger)) {
        Route::To(key) => key,
        Route::Lost(lost) => {
            count_lost(lost);
            return None;
        }
    };
    let call = board.calls.get(&key)?;
    let permit = Arc::clone(&call.room).try_acquire_owned().ok()?;
    let queue = call.streams.get(index)?.as_ref()?;
    if queue.try_send(Arrival { stream, from, first, permit }).is_err() {
        count_behind();
        return None;
    }
    Some(())
}

impl Arrival {
    /// The connection as the stack takes it; `place` is the address of the socket that the stack believes to have.
    pub(super) fn stream(self, place: SocketAddr) -> io::Result<(Arc<dyn AsyncTcpStream>, SocketAddr)> {
        let Self { stream, from, first, permit } = self;
        let (read, write) = stream.into_split();
        Ok((
            Arc::new(CallStream {
                place,
                from,
                first: Mutex::new(first),
                read,
                write,
                broken: AtomicBool::new(false),
                _permit: permit,
            }),
            from,
        ))
    }
}

/// A connection of a call.
#[derive(Debug)]
struct CallStream {
    place: SocketAddr,
    from: SocketAddr,
    /// What was read before the stack had it.
    first: Mutex<Vec<u8>>,
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    /// A frame was given up half-way: nothing after it could be understood.
    broken: AtomicBool,
    _permit: OwnedSemaphorePermit,
}

impl CallStream {
    async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        {
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            if !first.is_empty() {
                let size = first.len().min(buf.len());
                buf[..size].copy_from_slice(&first[..size]);
                first.drain(..size);
                return Ok(size);
            }
        }
        loop {
            self.read.readable().await?;
            match self.read.try_read(buf) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }

    async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.write.writable().await?;
            match self.write.try_write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => bytes = &bytes[n..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl AsyncTcpStream for CallStream {
    fn read<'a, 'b>(
        &'a self,
        buf: &'b mut [u8],
    ) -> std::pin::Pin<Box<dyn Future<Output = io::Result<usize>> + Send + 'b>>
    where
        'a: 'b,
    {
        Box::pin(CallStream::read(self, buf))
    }

    fn write_all<'a, 'b>(&'a self, buf: &'b [u8]) -> std::pin::Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'b>>
    where
        'a: 'b,
    {
        Box::pin(async move {
            if self.broken.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            // The flag is up while a frame is under way, so that it stays up when this is cancelled.
            self.broken.store(true, Ordering::Relaxed);
            let written = timeout(WRITE_PATIENCE, CallStream::write_all(self, buf)).await;
            self.broken.store(!matches!(written, Ok(Ok(()))), Ordering::Relaxed);
            written.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client does not read")))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.place)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.from)
    }
}
