//! A plain sentence becomes a checked backtesting.py strategy.
