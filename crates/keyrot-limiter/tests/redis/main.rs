//! The Redis store on real servers: a Redis and a Valkey, started here.

#[cfg(test)]
mod access;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod damaged;
#[cfg(test)]
mod format;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lifted;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod people;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod several;
#[cfg(test)]
mod time;
