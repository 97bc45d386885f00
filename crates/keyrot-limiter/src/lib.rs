//! Exact sliding-window limits and shared cooldowns for keyrot.
