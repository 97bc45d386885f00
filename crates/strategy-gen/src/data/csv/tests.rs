//! Files as people have them: what is read, what is mended, and what is refused with its line.

use super::*;
use crate::data::synthetic;

/// Forty rows under a header, each made from its number.
fn file(header: &str, row: impl Fn(usize) -> String) -> String {
    (0..40).fold(format!("{header}\n"), |text, i| text + &row(i) + "\n")
}

fn prices(text: &str) -> Prices {
    read("x", text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn faults(text: &str) -> String {
    read("x", text.as_bytes()).expect_err("a fault").to_string()
}

/// Day `i` from 2026-01-01 on, in one month and the next.
fn day(i: usize) -> (usize, usize) {
    if i < 31 { (1, i + 1) } else { (2, i - 30) }
}

fn iso(i: usize) -> String {
    let (month, day) = day(i);
    format!("2026-{month:02}-{day:02}")
}

#[test]
fn what_is_written_is_read_again() {
    let made = synthetic::daily(3, 500);
    assert_eq!(prices(&made.csv()).bars, made.bars);
}

#[test]
fn columns_have_many_names_and_any_order() {
    for header in [
        "Date,Open,High,Low,Close,Volume",
        "timestamp,OPEN,High,low,Adj Close,vol",
        ",o,h,l,c,v",
        "<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
        "\u{feff}Date,Open,High,Low,Close/Last,Volume",
    ] {
        let read = prices(&file(header, |i| format!("{},2,4,1,3,500", iso(i))));
        let Bar { open, high, low, close, volume, .. } = read.bars[0];
        assert_eq!((open, high, low, close, volume), (2.0, 4.0, 1.0, 3.0, 500.0), "{header}");
        assert_eq!(read.notes, [""; 0]);
    }
    let read = prices(&file("Close,Adj Close,Low,High,Open,Date", |i| format!("3,9,1,4,2,{}", iso(i))));
    assert_eq!((read.bars[0].close, read.bars[0].volume), (3.0, 0.0));
    assert!(read.notes[0].contains("no volume"));
}

#[test]
fn numbers_of_other_countries() {
    let with =
        |row: &str| prices(&file("Date;Open;High;Low;Close", |i| format!("{};{row}", iso(i)))).bars[0].close;
    assert_eq!(with("1,5;1,7;1,4;1,61"), 1.61);
    assert_eq!(with("1.234,5;1.300,0;1.200,25;1.250,75"), 1250.75);
    assert_eq!(with("1,234.5;1,300.0;1,200.25;1,250.75"), 1250.75);
    let quoted = prices(&file("Date,Open,High,Low,Close", |i| {
        format!("{},\"1,234.5\",\"$1,300\",1200,\"1,250.75\"", iso(i))
    }));
    assert_eq!(quoted.bars[0].high, 1300.0);
    let tabs = prices(&file("Date\tOpen\tHigh\tLow\tClose", |i| format!("{}\t2\t4\t1\t3", iso(i))));
    assert_eq!(tabs.bars.len(), 40);
}

#[test]
fn dates_in_many_forms() {
    let first = |header: &str, date: &dyn Fn(usize) -> String| {
        prices(&file(header, |i| format!("{},2,4,1,3", date(i))))
            .bars
            .iter()
            .map(|bar| bar.time)
            .min()
            .expect("bars")
    };
    let day_one = 1_767_225_600;
    let plain = "Date,Open,High,Low,Close";
    assert_eq!(first(plain, &iso), day_one);
    assert_eq!(first(plain, &|i| iso(i).replace('-', "/")), day_one);
    assert_eq!(first(plain, &|i| iso(i).replace('-', "")), day_one);
    assert_eq!(first(plain, &|i| format!("{}.{}.2026", day(i).1, day(i).0)), day_one);
    assert_eq!(first(plain, &|i| format!("{:02}/{:02}/2026", day(i).1, day(i).0)), day_one);
    assert_eq!(first(plain, &|i| format!("{:02}/{:02}/2026", day(i).0, day(i).1)), day_one);
    assert_eq!(first(plain, &|i| (day_one as usize + i * 86_400).to_string()), day_one);
    assert_eq!(first(plain, &|i| format!("{}.0", day_one as usize + i * 60)), day_one);
    assert_eq!(first(plain, &|i| format!("{}000", day_one as usize + i * 60)), day_one);
    assert_eq!(first(plain, &|i| format!("{}T09:30:00Z", iso(i))), day_one + 34_200);
    assert_eq!(first(plain, &|i| format!("{} 09:30:00.500+02:00", iso(i))), day_one + 27_000);
    assert_eq!(first(plain, &|i| format!("{} 09:30:00-0500", iso(i))), day_one + 52_200);
    assert_eq!(first("Date,Time,Open,High,Low,Close", &|i| format!("{},09:30", iso(i))), day_one + 34_200);
}

#[test]
fn a_date_that_could_be_two_is_not_guessed() {
    let text = file("Date,Open,High,Low,Close", |i| {
        format!("{:02}/{:02}/{},2,4,1,3", i % 12 + 1, i % 12 + 1, 1990 + i)
    });
    assert!(faults(&text).contains("day or the month first"));
    let text = file("Date,Open,High,Low,Close", |i| {
        format!("{},2,4,1,3", if i == 0 { "13/01/2026" } else { "01/13/2026" })
    });
    assert!(faults(&text).contains("some dates have the day first"));
}

#[test]
fn order_is_made_and_twins_are_one() {
    let newest_first =
        prices(&file("Date,Open,High,Low,Close,Volume", |i| format!("{},2,4,1,3,5", iso(39 - i))));
    assert!(newest_first.bars.windows(2).all(|pair| pair[0].time < pair[1].time));
    assert!(newest_first.notes[0].contains("sorted"), "{:?}", newest_first.notes);
    let twin = file("Date,Open,High,Low,Close,Volume", |i| format!("{},2,4,1,3,5", iso(i.max(1))));
    assert!(prices(&twin).notes[0].contains("1 rows stood there twice"));
    let clash = file("Date,Open,High,Low,Close,Volume", |i| format!("{},2,4,1,3,{i}", iso(i.max(1))));
    assert!(faults(&clash).contains("lines 2 and 3 have the same date"));
}

#[test]
fn every_fault_has_its_line() {
    let with = |at: usize, row: &str| {
        let row = row.to_owned();
        faults(&file("Date,Open,High,Low,Close", move |i| {
            if i == at { row.clone() } else { format!("{},2,4,1,3", iso(i)) }
        }))
    };
    for (row, told) in [
        ("2026-01-06,2,1,4,3", "line 7: high 1 is below low 4"),
        ("2026-01-06,5,4,1,3", "line 7: open or close is not between"),
        ("2026-01-06,2,x,1,3", "line 7: high `x` is no number"),
        ("2026-01-06,2,NaN,1,3", "line 7: high `NaN` is no number"),
        ("2026-01-06,,4,1,3", "line 7: open is missing"),
        ("2026-01-06,2", "line 7: high is missing"),
        ("2026-01-06,2,4,-1,3", "line 7: low is -1"),
        ("someday,2,4,1,3", "line 7: `someday` is no date"),
        ("2026-02-30,2,4,1,3", "line 7: `2026-02-30` is no date"),
    ] {
        let said = with(5, row);
        assert!(said.contains(told), "{row}: {said}");
    }
    let all = file("Date,Open,High,Low,Close", |i| format!("{},2,0,1,3", iso(i)));
    assert!(faults(&all).contains("and 30 more"));
}

#[test]
fn what_is_no_table_of_prices() {
    assert!(faults("").contains("is empty"));
    assert!(faults("Date,Open,High,Close\n").contains("no column for `low`; found: `date`"));
    assert!(faults("2026-01-01,1,2,3,4\n").contains("no column for"));
    assert!(faults("Date,Open,High,Low,Close\n2026-01-01,2,4,1,3\n").contains("1 bars are too few"));
    let latin = read("x", b"Date,Open\n\xff").expect_err("not UTF-8");
    assert!(latin.to_string().contains("line 2: not UTF-8"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-0-9a-zA-Z,;.:/ \t\"\n]{0,200}") {
        let _ = read("x", text.as_bytes());
        let _ = read("x", format!("Date;Open;High;Low;Close\n{text}").as_bytes());
    }
}
