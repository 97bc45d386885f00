//! A network on loopback that can be far away, and can fall silent: connections stay, new ones are accepted,
//! and nothing passes.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Path {
    /// Where it leads.
    to: u16,
    silent: bool,
    /// How long anything takes, each way.
    takes: Duration,
}

/// A network between a client and a server.
#[derive(Debug)]
pub(crate) struct Network {
    port: u16,
    path: Arc<watch::Sender<Path>>,
}

impl Network {
    /// One that leads to `to`.
    pub(crate) async fn to(to: u16) -> Self {
        Self::distant(to, Duration::ZERO).await
    }

    /// The same for a server so far away.
    pub(crate) async fn distant(to: u16, takes: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback is there");
        let port = listener.local_addr().expect("it is bound").port();
        let (path, seen) = watch::channel(Path { to, silent: false, takes });
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, seen.clone()));
            }
        });
        Self { port, path: Arc::new(path) }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn silent(&self, silent: bool) {
        self.path.send_modify(|path| path.silent = silent);
    }

    /// Leads to another server from now on; what leads to the one before breaks.
    pub(crate) fn lead(&self, to: u16) {
        self.path.send_modify(|path| path.to = to);
    }
}

async fn carry(client: TcpStream, mut path: watch::Receiver<Path>) {
    let to = path.borrow_and_update().to;
    let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let elsewhere = async {
        // Also when the network is gone.
        drop(path.clone().wait_for(|path| path.to != to).await);
    };
    tokio::select! {
        () = pass(from_client, to_server, path.clone()) => {}
        () = pass(from_server, to_client, path.clone()) => {}
        () = elsewhere => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut path: watch::Receiver<Path>) {
    let takes = path.borrow().takes;
    let (send, mut on_the_way) = mpsc::unbounded_channel();
    let read = async move {
        let mut bytes = vec![0; 65_536];
        while let Ok(n @ 1..) = from.read(&mut bytes).await {
            let arrives = (!takes.is_zero()).then(|| tokio::time::sleep(takes));
            if send.send((arrives, bytes[..n].to_vec())).is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((arrives, bytes)) = on_the_way.recv().await {
            if let Some(arrives) = arrives {
                arrives.await;
            }
            // What is lost on the way is sent again: it comes late, not never.
            if path.wait_for(|path| !path.silent).await.is_err() || to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}
