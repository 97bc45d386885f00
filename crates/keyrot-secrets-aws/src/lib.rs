//! Keys from AWS Secrets Manager.
