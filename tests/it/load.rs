//! Saturating load on a server that enforces its limits: it never refuses, and hardly any capacity
//! is lost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use gemini_client::wire::GenerateRequest;
use gemini_sim::{LogEntry, ProjectSpec, Quota, Window};
use keyrot::Profile;
use keyrot_core::Clock;
use keyrot_testkit::world::World;

const MODEL: &str = "gemini-2.5-flash";
/// Requests a minute of each of the three projects.
const RPM: [u64; 3] = [20, 30, 40];
const FILLS: usize = 6;
const WORKERS: usize = 24;

#[derive(Clone, Copy)]
enum Server {
    Sliding,
    FixedMinutes,
    TwoSecondsAhead,
}

/// Fills the windows of 3 projects × 5 keys over and over; gives the server's log of generations.
async fn saturate(server: Server) -> Vec<LogEntry> {
    let mut builder = World::builder();
    builder = match server {
        Server::Sliding => builder,
        Server::FixedMinutes => builder.sim(|sim| sim.window(Window::FixedMinute)),
        Server::TwoSecondsAhead => builder.server_ahead(Duration::from_secs(2)),
    };
    for (p, rpm) in RPM.into_iter().enumerate() {
        let project = format!("p{p}");
        builder = builder
            .project(ProjectSpec::new(&project).quota(MODEL, Quota { rpm: Some(rpm), ..Quota::UNLIMITED }));
        for k in 0..5 {
            builder = builder.key(&format!("k{p}{k}"), &project, |key| key.limits.rpm = Some(rpm));
        }
    }
    let world = builder.start().await;
    let per_fill: usize = RPM.iter().map(|r| usize::try_from(*r).expect("small")).sum();
    let left = AtomicUsize::new(per_fill * (FILLS - 1) + 1);
    let profile = Profile::new(MODEL).max_wait(Duration::from_secs(3_600));
    let request = GenerateRequest::text("Say OK.");
    let busy = AtomicUsize::new(WORKERS);
    let workers = (0..WORKERS).map(|_| async {
        while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            world.gemini.generate(&profile, &request).await.expect("an answer");
        }
        busy.fetch_sub(1, Ordering::SeqCst);
    });
    // The clock moves only when every worker that is left stands in line.
    let time = async {
        while busy.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
            let waiting = world.gemini.rotator().status(MODEL).await.waiting;
            if waiting > 0
                && waiting == busy.load(Ordering::SeqCst)
                && world.in_flight() == 0
                && let Some(at) = world.clock.next_sleeper()
                && at > world.clock.now()
            {
                world.clock.advance_to(at);
            }
        }
    };
    futures_util::future::join(join_all(workers), time).await;
    world.generations()
}

/// No refusal, no window above a limit, and the use of the capacity by the formula
/// (k − 1) · 60 s ÷ (first admission of the k-th fill − the first).
fn check(log: &[LogEntry]) -> f64 {
    let refused: Vec<_> = log.iter().filter(|e| e.status != 200).collect();
    assert!(refused.is_empty(), "{refused:?}");
    for (p, rpm) in RPM.into_iter().enumerate() {
        let project = format!("p{p}");
        let mut at: Vec<u64> =
            log.iter().filter(|e| e.project.as_ref() == Some(&project)).map(|e| e.at_ms).collect();
        at.sort_unstable();
        let rpm = usize::try_from(rpm).expect("small");
        for window in at.windows(rpm + 1) {
            assert!(window[rpm] - window[0] >= 60_000, "{project}: {} requests in under 60 s", rpm + 1);
        }
    }
    let mut at: Vec<u64> = log.iter().map(|e| e.at_ms).collect();
    at.sort_unstable();
    let per_fill: usize = RPM.iter().map(|r| usize::try_from(*r).expect("small")).sum();
    let first_of_last = at[per_fill * (FILLS - 1)];
    let minutes = u32::try_from(FILLS - 1).expect("small");
    f64::from(minutes) * 60_000.0 / f64::from(u32::try_from(first_of_last - at[0]).expect("some minutes"))
}

#[tokio::test]
async fn a_sliding_server_never_refuses_and_is_used_to_ninety_nine_per_cent() {
    let used = check(&saturate(Server::Sliding).await);
    println!("use of the capacity, sliding server: {used:.4}");
    assert!(used >= 0.99, "{used}");
}

#[tokio::test]
async fn a_server_of_fixed_minutes_never_refuses_and_is_used_to_ninety_nine_per_cent() {
    let used = check(&saturate(Server::FixedMinutes).await);
    println!("use of the capacity, server of fixed minutes: {used:.4}");
    assert!(used >= 0.99, "{used}");
}

#[tokio::test]
async fn a_server_whose_clock_is_two_seconds_off_never_refuses() {
    let used = check(&saturate(Server::TwoSecondsAhead).await);
    println!("use of the capacity, server two seconds ahead: {used:.4}");
    assert!(used >= 0.99, "{used}");
}
