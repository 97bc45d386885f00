//! The simulator without a socket: it says what stands on the wire.

use gemini_sim::{Fault, FaultRule, LocalCall, OverloadText, ProjectSpec, Quota, SimBuilder};

use crate::wire_client::{Hands, KEY, MODEL, generate, prompt, with_project};

const PATH: &str = "/v1beta/models/gemini-2.5-flash:generateContent";

/// A simulator that admits one request and then refuses.
fn builder() -> SimBuilder {
    let quota = Quota { rpm: Some(1), ..Quota::UNLIMITED };
    with_project(ProjectSpec::new("proj-a").quota(MODEL, quota)).clock(Hands::at(1_795_464_000_000).clock())
}

#[tokio::test]
async fn a_local_reply_is_what_a_socket_carries() {
    let (server, sim) = (builder().start().await.unwrap(), builder().build().unwrap());
    for fault in [None, None, Some(Fault::BadGatewayHtml), Some(Fault::CallerNoPermission)] {
        if let Some(fault) = fault {
            server.push_fault(FaultRule::new(fault.clone()));
            sim.push_fault(FaultRule::new(fault));
        }
        let wire = generate(&server).await;
        let body = prompt("Hello").to_string();
        let call = LocalCall { method: "POST", path: PATH, key: KEY, body: body.as_bytes() };
        let local = sim.answer(call).unwrap();
        assert_eq!((local.status, &local.body), (wire.status, &wire.body));
        assert_eq!(Some(local.content_type.as_str()), wire.header("content-type"));
    }
    assert_eq!(server.log(), sim.log());
    server.shutdown().await;
}

#[test]
fn silence_is_no_reply_and_clones_share_the_state() {
    let sim = builder().build().unwrap();
    let other = sim.clone();
    other.push_fault(FaultRule::new(Fault::Stall));
    other.push_fault(FaultRule::new(Fault::Overloaded(OverloadText::New)));
    let body = prompt("Hello").to_string();
    let call = LocalCall { method: "POST", path: PATH, key: KEY, body: body.as_bytes() };
    assert_eq!(sim.answer(call), None);
    assert_eq!(sim.answer(call).map(|reply| reply.status), Some(429), "the silent one was charged");
    assert_eq!(other.log().len(), 2);
}
