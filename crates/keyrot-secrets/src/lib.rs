//! Where keyrot's secrets come from: name resolution and the secret cache.
