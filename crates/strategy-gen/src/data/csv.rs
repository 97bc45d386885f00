//! Prices from a CSV file, however it is written; what is wrong with one is told by line.

mod dates;

use keyrot::UntrustedText;

use super::{Bar, Prices};
use dates::Dates;

/// Fewer bars than this say nothing.
pub const LEAST_BARS: usize = 30;
/// Largest file that is read, in bytes.
pub const MAX_FILE: usize = 256 << 20;
/// As many faults are told as help.
const MOST_FAULTS: usize = 10;

/// Bytes of a cell that a message quotes.
const QUOTED: usize = 80;
/// Columns of a header that a message names.
const NAMED: usize = 24;

/// A cell, as a message shows it.
fn quoted(cell: &str) -> UntrustedText {
    UntrustedText::bounded(cell, QUOTED)
}

/// Why a text is no table of prices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", faults.join("\n  "))]
pub struct CsvError {
    /// One line each, with the line of the file where there is one.
    pub faults: Vec<String>,
}

impl CsvError {
    fn one(fault: impl Into<String>) -> Self {
        Self { faults: vec![fault.into()] }
    }
}

/// Names of columns, in lower case; the first of a row is what we call it. Earlier names win.
const COLUMNS: [(&str, &[&str]); 5] = [
    ("open", &["open", "o", "opening", "open price", "1. open"]),
    ("high", &["high", "h", "max", "high price", "2. high"]),
    ("low", &["low", "l", "min", "low price", "3. low"]),
    (
        "close",
        &[
            "close",
            "c",
            "last",
            "close/last",
            "close price",
            "4. close",
            "price",
            "adj close",
            "adj_close",
            "adjclose",
        ],
    ),
    (
        "volume",
        &["volume", "v", "vol", "vol.", "5. volume", "tick_volume", "tickvol", "tick volume", "volume usd"],
    ),
];
const DATES: &[&str] = &[
    "date",
    "datetime",
    "date time",
    "timestamp",
    "time",
    "day",
    "open time",
    "opentime",
    "open_time",
    "unix",
    "epoch",
    "index",
    "unnamed: 0",
    "",
    "gmt time",
    "local time",
];

/// Reads prices.
///
/// # Errors
/// [`CsvError`] with everything that is wrong, ten faults at most.
pub fn read(name: &str, bytes: &[u8]) -> Result<Prices, CsvError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        CsvError::one(format!("line {line}: not UTF-8 text"))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines =
        text.lines().enumerate().map(|(i, line)| (i + 1, line)).filter(|(_, line)| !line.trim().is_empty());
    let Some((_, header)) = lines.next() else { return Err(CsvError::one("the file is empty")) };
    let delimiter = delimiter(header);
    let table = Table::new(&fields(header, delimiter))?;
    let rows: Vec<(usize, Vec<String>)> = lines.map(|(line, text)| (line, fields(text, delimiter))).collect();
    let mut reader = Reader { table: &table, comma: decimal_comma(&rows, &table), faults: Vec::new() };
    let dates = Dates::of(rows.iter().map(|(_, row)| table.date(row))).map_err(CsvError::one)?;
    let mut notes = Vec::new();
    let mut bars: Vec<(usize, Bar)> =
        rows.iter().filter_map(|(line, row)| Some((*line, reader.bar(*line, row, &dates)?))).collect();
    let mut faults = reader.faults;
    if bars.windows(2).any(|pair| pair[0].1.time > pair[1].1.time) {
        bars.sort_by_key(|(_, bar)| bar.time);
        notes.push("the rows were not in the order of time and have been sorted".to_owned());
    }
    twice(&mut bars, &mut faults, &mut notes);
    if !faults.is_empty() {
        let more = faults.len().saturating_sub(MOST_FAULTS);
        faults.truncate(MOST_FAULTS);
        if more > 0 {
            faults.push(format!("and {more} more"));
        }
        return Err(CsvError { faults });
    }
    if bars.len() < LEAST_BARS {
        return Err(CsvError::one(format!(
            "{} bars are too few: at least {LEAST_BARS} are needed",
            bars.len()
        )));
    }
    if table.volume.is_none() {
        notes.push("there is no volume: it counts as 0".to_owned());
    }
    Ok(Prices { name: name.to_owned(), bars: bars.into_iter().map(|(_, bar)| bar).collect(), notes })
}

/// Rows of one time: the same row twice is one, two different rows are a fault.
fn twice(bars: &mut Vec<(usize, Bar)>, faults: &mut Vec<String>, notes: &mut Vec<String>) {
    let before = bars.len();
    bars.dedup_by(|(_, later), (_, earlier)| later == earlier);
    if bars.len() < before {
        notes.push(format!("{} rows stood there twice and count once", before - bars.len()));
    }
    for pair in bars.windows(2).filter(|pair| pair[0].1.time == pair[1].1.time) {
        faults.push(format!("lines {} and {} have the same date and different prices", pair[0].0, pair[1].0));
    }
}

fn delimiter(header: &str) -> char {
    ['\t', ';', '|'].into_iter().find(|delimiter| header.contains(*delimiter)).unwrap_or(',')
}

/// The fields of a line; what stands in double quotes may hold the delimiter.
fn fields(line: &str, delimiter: char) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c == delimiter && !quoted => fields.push(String::new()),
            c => fields.last_mut().into_iter().for_each(|field| field.push(c)),
        }
    }
    fields.iter().map(|field| field.trim().to_owned()).collect()
}

/// Which field is what.
struct Table {
    date: usize,
    /// Where the time of day has a column of its own.
    time: Option<usize>,
    prices: [usize; 4],
    volume: Option<usize>,
}

impl Table {
    fn new(header: &[String]) -> Result<Self, CsvError> {
        let header: Vec<String> =
            header.iter().map(|name| name.trim_matches(['<', '>']).to_lowercase()).collect();
        let at = |names: &[&str]| names.iter().find_map(|name| header.iter().position(|field| field == name));
        let mut missing = Vec::new();
        let mut need = |name: &str, at: Option<usize>| {
            if at.is_none() {
                missing.push(format!("`{name}`"));
            }
            at.unwrap_or_default()
        };
        let date = need("date", at(DATES));
        let [open, high, low, close, _] = COLUMNS.map(|(name, names)| (name, at(names)));
        let prices = [open, high, low, close].map(|(name, at)| need(name, at));
        if !missing.is_empty() {
            return Err(CsvError::one(format!(
                "line 1: no column for {}; found: {}",
                missing.join(", "),
                header
                    .iter()
                    .take(NAMED)
                    .map(|name| format!("`{}`", quoted(name)))
                    .collect::<Vec<_>>()
                    .join(", ")
            )));
        }
        let time = at(&["time"]).filter(|time| *time != date && header[date] == "date");
        Ok(Self { date, time, prices, volume: at(COLUMNS[4].1) })
    }

    fn date(&self, row: &[String]) -> String {
        let field = |at: usize| row.get(at).map_or("", String::as_str);
        self.time.map_or_else(
            || field(self.date).to_owned(),
            |time| format!("{} {}", field(self.date), field(time)),
        )
    }
}

/// Whether `1,5` is one and a half: a comma somewhere, and nowhere a point behind it.
fn decimal_comma(rows: &[(usize, Vec<String>)], table: &Table) -> bool {
    let mut found = false;
    for field in rows.iter().flat_map(|(_, row)| table.prices.iter().filter_map(|at| row.get(*at))) {
        match (field.rfind(','), field.rfind('.')) {
            (Some(comma), Some(point)) if comma < point => return false,
            // `1,234` may be either; any other count of digits tells.
            (Some(comma), _) => {
                found |= field.len() - comma != 4 || field[..comma].contains('.') || field.starts_with("0,")
            }
            (None, Some(_)) => return false,
            (None, None) => {}
        }
    }
    found
}

struct Reader<'t> {
    table: &'t Table,
    comma: bool,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn bar(&mut self, line: usize, row: &[String], dates: &Dates) -> Option<Bar> {
        let before = self.faults.len();
        let date = self.table.date(row);
        let time = dates.seconds(&date);
        if time.is_none() {
            self.faults.push(format!("line {line}: `{}` is no date", quoted(&date)));
        }
        let mut prices = [0.0; 4];
        for (price, (at, (name, _))) in prices.iter_mut().zip(self.table.prices.iter().zip(COLUMNS)) {
            *price = self.price(line, name, row.get(*at).map_or("", String::as_str));
        }
        let [open, high, low, close] = prices;
        if self.faults.len() == before {
            if high < low {
                self.faults.push(format!("line {line}: high {high} is below low {low}"));
            } else if open.max(close) > high || open.min(close) < low {
                self.faults
                    .push(format!("line {line}: open or close is not between low {low} and high {high}"));
            }
        }
        let volume = self.table.volume.and_then(|at| row.get(at)).and_then(|field| self.number(field));
        let volume = volume.filter(|volume| volume.is_finite() && *volume >= 0.0).unwrap_or(0.0);
        (self.faults.len() == before).then_some(Bar { time: time?, open, high, low, close, volume })
    }

    fn price(&mut self, line: usize, name: &str, field: &str) -> f64 {
        let fault = match self.number(field) {
            Some(price) if price.is_finite() && price > 0.0 => return price,
            Some(price) if price.is_finite() => {
                format!("line {line}: {name} is {price}, and a price is above 0")
            }
            _ if field.is_empty() => format!("line {line}: {name} is missing"),
            Some(_) | None => format!("line {line}: {name} `{}` is no number", quoted(field)),
        };
        self.faults.push(fault);
        0.0
    }

    fn number(&self, field: &str) -> Option<f64> {
        let field = field.trim_start_matches(['$', '€', '£']).replace([' ', '\u{a0}', '_'], "");
        let plain = match self.comma {
            true => field.replace('.', "").replace(',', "."),
            false => field.replace(',', ""),
        };
        plain.parse().ok()
    }
}

#[cfg(test)]
mod tests;
