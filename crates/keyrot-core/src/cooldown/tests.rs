//! The machine's promises: refused before, admitted at, monotone within a generation.
