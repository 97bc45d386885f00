//! Keys, quotas, cooldowns and selection: the pure decisions of keyrot.
