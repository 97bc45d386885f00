//! Keys from environment variables and .env files.
