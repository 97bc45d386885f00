//! A shared store that goes away, comes back, and forgets: first a scripted one on a clock that moves
//! when told, then real servers that are killed, frozen and flushed.

#[cfg(test)]
mod alone;
#[cfg(test)]
mod back;
#[cfg(test)]
mod breaker;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod cut;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod lost;
#[cfg(test)]
#[cfg(feature = "redis")]
mod real;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod world;
