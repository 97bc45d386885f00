//! The door of a server: everybody goes through it, and who reads a secret is counted.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Passes on what it hears, and counts how often `mark` is among it.
#[derive(Debug)]
pub(crate) struct Door {
    port: u16,
    seen: Arc<AtomicU64>,
    shut: Arc<AtomicBool>,
}

impl Door {
    /// Before the loopback port `behind`; `mark` is in every request that reads secrets, once, in lower case.
    pub(crate) async fn before(behind: u16, mark: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (seen, shut) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, is_shut) = (Arc::clone(&seen), Arc::clone(&shut));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if is_shut.load(Ordering::SeqCst) {
                    continue;
                }
                let counter = Arc::clone(&counter);
                tokio::spawn(async move {
                    // A server that is not there closes the door.
                    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, behind)).await else { return };
                    pass(client, server, mark.as_bytes(), &counter).await;
                });
            }
        });
        Self { port, seen, shut }
    }

    /// Nobody gets in any more, or again: a server that was started anew has first to be given back what it held.
    pub(crate) fn shut(&self, shut: bool) {
        self.shut.store(shut, Ordering::SeqCst);
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Reads of secrets so far.
    pub(crate) fn reads(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }
}

async fn pass(client: TcpStream, server: TcpStream, mark: &[u8], counter: &AtomicU64) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let up = async {
        let (mut buffer, mut tail) = (vec![0; 16 * 1024], Vec::new());
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            tail.extend(buffer[..read].to_ascii_lowercase());
            let found = tail.windows(mark.len()).filter(|window| *window == mark).count();
            counter.fetch_add(found as u64, Ordering::SeqCst);
            // A mark may lie across two pieces, and none is counted twice.
            let keep = tail.len().min(mark.len() - 1);
            tail.drain(..tail.len() - keep);
            if to_server.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let _broken = tokio::io::copy(&mut from_server, &mut to_client).await;
    };
    // When one side is over, so is the other.
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}
