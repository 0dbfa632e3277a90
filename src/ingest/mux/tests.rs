//! The reader of the shared port.

use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;
use std::task::{Context, Poll};

use webrtc::runtime::Transmit;

use super::*;
use crate::base::ManualClock;

/// Gives these results, then none.
#[derive(Debug)]
struct Scripted(Mutex<VecDeque<io::Result<usize>>>);

impl AsyncUdpSocket for Scripted {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 9)))
    }

    fn poll_send(&self, _: &mut Context<'_>, _: &Transmit<'_>) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_recv(&self, _: &mut Context<'_>, _: &mut [IoSliceMut<'_>], _: &mut [RecvMeta]) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap().pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

#[tokio::test]
async fn the_port_is_read_on_after_errors_and_not_when_it_is_closed() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    let inner = start(9, false, Vec::new(), &clock).unwrap();
    let fails = |kind: ErrorKind| Err(io::Error::from(kind));
    let script = [
        fails(ErrorKind::ConnectionRefused),
        fails(ErrorKind::HostUnreachable),
        fails(ErrorKind::OutOfMemory),
        Ok(1),
        fails(ErrorKind::Other),
        fails(ErrorKind::NotConnected),
        Ok(1),
    ];
    let socket = Arc::new(Scripted(Mutex::new(script.into_iter().collect())));
    let reader = read(Arc::downgrade(&inner), 0, Arc::clone(&socket) as Arc<dyn AsyncUdpSocket>);
    let began = tokio::time::Instant::now();
    tokio::time::timeout(std::time::Duration::from_secs(60), reader).await.expect("it ends");
    assert_eq!(socket.0.lock().unwrap().len(), 1, "it ended at the closed socket, not before");
    assert!(began.elapsed() >= READ_AGAIN * 3, "a pause behind each error but those that clients cause");
}
