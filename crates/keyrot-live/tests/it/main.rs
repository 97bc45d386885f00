//! Keys whose secrets lie in real servers, before a simulated Gemini, in real time: secrets that are rotated
//! and servers that die while requests come in.
#![cfg(test)]

mod aws;
mod door;
mod far;
mod line;
mod load;
mod place;
mod vault;
