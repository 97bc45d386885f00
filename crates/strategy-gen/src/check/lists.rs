//! The words the policy knows, as data.

/// Modules a strategy may import, exactly so.
pub(super) const MODULES: [&str; 18] = [
    "__future__",
    "backtesting",
    "backtesting.lib",
    "collections",
    "collections.abc",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "indicators",
    "itertools",
    "math",
    "numpy",
    "numpy.typing",
    "pandas",
    "statistics",
    "typing",
    "warnings",
];

/// Built-ins that reach around the checks or out of the process.
pub(super) const NAMES: [&str; 19] = [
    "breakpoint",
    "compile",
    "copyright",
    "credits",
    "delattr",
    "dir",
    "eval",
    "exec",
    "exit",
    "getattr",
    "globals",
    "help",
    "input",
    "license",
    "locals",
    "open",
    "quit",
    "setattr",
    "vars",
];

/// Attributes that read, write or evaluate, by their whole name.
pub(super) const IO: [&str; 19] = [
    "ctypeslib",
    "eval",
    "fromfile",
    "genfromtxt",
    "io",
    "load",
    "loadtxt",
    "memmap",
    "open_memmap",
    "os",
    "popen",
    "query",
    "save",
    "savetxt",
    "savez",
    "savez_compressed",
    "sys",
    "system",
    "tofile",
];

/// `to_...` that stays in memory.
pub(super) const CONVERSIONS: [&str; 13] = [
    "to_datetime",
    "to_dict",
    "to_flat_index",
    "to_frame",
    "to_julian_date",
    "to_list",
    "to_numeric",
    "to_numpy",
    "to_offset",
    "to_period",
    "to_pydatetime",
    "to_series",
    "to_timedelta",
];

/// Parts of backtesting.py and numpy through which code sees bars that have not come yet.
pub(super) const PRIVATE: [&str; 8] =
    ["_broker", "_data", "_indicators", "_params", "_set_length", "base", "f_globals", "gi_frame"];

/// What `buy` and `sell` take.
pub(super) const ORDER_KEYWORDS: [&str; 6] = ["limit", "size", "sl", "stop", "tag", "tp"];

/// The library's own strategies; the first two are the plain one.
pub(super) const BASES: [&str; 4] = [
    "backtesting.Strategy",
    "backtesting.backtesting.Strategy",
    "backtesting.lib.SignalStrategy",
    "backtesting.lib.TrailingStrategy",
];

/// The columns of `self.data`.
pub(super) const COLUMNS: [&str; 5] = ["Close", "High", "Low", "Open", "Volume"];

/// Statistics that, taken over all prices, know the future.
pub(super) const STATISTICS: [&str; 9] =
    ["argmax", "argmin", "max", "mean", "median", "min", "quantile", "std", "var"];

/// Names that are forgotten to be imported, and how that is done.
pub(super) const USUAL_IMPORTS: [(&str, &str); 4] = [
    ("Strategy", "from backtesting import Strategy"),
    ("crossover", "from backtesting.lib import crossover"),
    ("np", "import numpy as np"),
    ("pd", "import pandas as pd"),
];
