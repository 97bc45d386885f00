//! A wire-faithful Gemini API on loopback, with quotas and faults.
