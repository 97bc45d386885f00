//! Every store against every promise, against the naive model, and against threads and processes.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod found_out;
#[cfg(test)]
mod ring;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod threads;
