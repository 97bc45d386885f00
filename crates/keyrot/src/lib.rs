//! Several Gemini API keys as one dependable resource.
