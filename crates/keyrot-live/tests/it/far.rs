//! A server that is some way off: what is sent to it and by it arrives late, in order.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// The port of a way to `port` that takes `late` in each direction.
pub(crate) async fn way_to(port: u16, late: Duration) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback is there");
    let here = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", port)).await.expect("the server is there");
            for stream in [&client, &server] {
                stream.set_nodelay(true).expect("it is open");
            }
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            carry(from_client, to_server, late);
            carry(from_server, to_client, late);
        }
    });
    here
}

#[expect(clippy::disallowed_methods, reason = "a network has no clock but the machine's")]
fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, late: Duration) {
    let (sent, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        let mut bytes = vec![0; 65_536];
        while let Ok(n @ 1..) = from.read(&mut bytes).await {
            if sent.send((Instant::now() + late, bytes[..n].to_vec())).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((at, bytes)) = arriving.recv().await {
            sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
}
