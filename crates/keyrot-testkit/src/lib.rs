//! Conformance suites, fakes and harnesses for keyrot's own tests.

pub mod world;
