//! The Redis store on real servers: a Redis and a Valkey, started here.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod servers;
