//! Facts while the store is away: the last known ones, and what is learned meanwhile.

use keyrot_core::FactStore;
use keyrot_testkit::limiter::secs;

use crate::scripted::Line;
use crate::world::World;

#[test]
fn what_was_seen_is_known_and_what_is_learned_is_told() {
    let mut world = World::of(2);
    let (here, there) = (world.instances[0].limiter.clone(), world.instances[1].limiter.clone());
    let value = |world: &mut World, of: &_, name: &str| {
        let of: &keyrot_limiter::Degrading<crate::scripted::Link> = of;
        world.drive(of.get(name)).0.expect("nothing fails").map(|fact| fact.value)
    };
    world.drive(there.put("limit/p/m/rpm", "5", None)).0.expect("accepted");
    world.drive(there.put("unseen", "1", None)).0.expect("accepted");
    world.drive(there.increment("n", 10)).0.expect("accepted");
    assert_eq!(world.drive(here.scan("limit/")).0.expect("nothing fails").len(), 1);
    assert_eq!(world.drive(here.increment("n", 1)).0.expect("nothing fails"), 11);
    world.cut([0], Line::Silent);
    assert_eq!(value(&mut world, &here, "limit/p/m/rpm").as_deref(), Some("5"));
    assert_eq!(value(&mut world, &here, "unseen"), None);
    assert_eq!(world.drive(here.increment("n", 2)).0.expect("nothing fails"), 13);
    world.drive(here.put("alias/x", "y", Some(secs(60)))).0.expect("accepted");
    world.drive(here.put("short", "y", Some(secs(2)))).0.expect("accepted");
    world.drive(here.put("c", "7", None)).0.expect("accepted");
    world.drive(here.increment("c", 3)).0.expect("accepted");
    // Meanwhile the other one goes on counting.
    world.drive(there.increment("n", 100)).0.expect("accepted");
    world.wait(secs(10));
    world.cut([0], Line::Up);
    world.wait(secs(4));
    assert_eq!(value(&mut world, &there, "n").as_deref(), Some("113"));
    assert_eq!(value(&mut world, &there, "alias/x").as_deref(), Some("y"));
    assert_eq!(value(&mut world, &there, "short"), None, "it aged out before it was told");
    assert_eq!(value(&mut world, &there, "c").as_deref(), Some("10"));
    world.wait(secs(50));
    assert_eq!(value(&mut world, &there, "alias/x"), None, "it ages from when it was said");
}
