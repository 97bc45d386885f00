//! A one-key client for the Gemini API: typed calls, streaming, error classification.
