//! Counts on a server behind TLS.

use keyrot_testkit::server::{Kind, Server};
use keyrot_testkit::tls::{Authority, Front};

use crate::rig::Place;
use crate::shared::{At, is_shared, pool, run};

/// Where the programs trust `authority`, and nobody else.
fn trusting(authority: &Authority) -> Place {
    pool().with("SSL_CERT_FILE", authority.file().to_str().expect("UTF-8"))
}

#[test]
fn runs_share_a_redis_behind_tls() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let (server, authority) = (Server::start(kind, &[]), Authority::new());
        let front = Front::before(server.port(), &authority);
        let url = format!("rediss://localhost:{}", front.port());
        is_shared(&trusting(&authority), At("REDIS_URL", &url));
    }
}

#[test]
fn a_certificate_nobody_vouches_for_and_another_name_are_refused() {
    let (server, authority, another) = (Server::start(Kind::Redis, &[]), Authority::new(), Authority::new());
    let front = Front::before(server.port(), &authority);
    for (trusted, host) in [(&another, "localhost"), (&authority, "127.0.0.1")] {
        let url = format!("rediss://{host}:{}", front.port());
        run(&trusting(trusted), At("REDIS_URL", &url), ["disable", "flash_01"])
            .fails(6, &["redis cannot be used", "certificate"]);
    }
    assert_eq!(server.command(&["DBSIZE"]).trim_end(), ":0", "nothing reached it");
}
