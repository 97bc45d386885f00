//! The simulator, seen over a plain socket: what stands on the wire, byte by byte where it matters.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod generation;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod local;
#[cfg(test)]
mod program;
#[cfg(test)]
mod quota;
#[cfg(test)]
mod wire_client;
