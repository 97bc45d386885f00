//! The words the offline engine knows, as data.

use super::lexicon::{Action, Concept, Concept as C, Line, Verb};
use crate::spec::{Average, Band, Extreme, Price};

/// Phrases, separated by commas, and their meaning; the longest match wins.
pub(super) const PHRASES: &[(&str, Concept)] = &[
    (
        "buy, buys, buying, purchase, enter, enter long, enter a long, go long, goes long, \
     going long, long, open long, open a long, take a long, buy signal, buy rule, \
     buy condition, entry, long entry, entry rule, entry signal, entry condition, get in, \
     enters long, enter the market long",
        C::Action(Action::Buy),
    ),
    (
        "sell, sells, selling, exit long, exit longs, exit the long, close long, close longs, \
     close the long, sell signal, sell rule, sell condition, long exit, sell to close",
        C::Action(Action::Sell),
    ),
    (
        "short, shorts, sell short, sells short, short sell, go short, goes short, going short, \
     enter short, enter a short, open short, open a short, short entry, take a short, \
     enters short, selling short",
        C::Action(Action::Short),
    ),
    (
        "cover, covers, covering, buy to cover, exit short, exit shorts, exit the short, \
     close short, close shorts, close the short, buy back, short exit, cover short, \
     cover the short, cover shorts",
        C::Action(Action::Cover),
    ),
    (
        "exit, exits, exiting, get out, liquidate, hold until, hold it until, exit rule, \
     exit signal, exit condition, close position, close positions, close the position, \
     close my position, close trade, close the trade, close all positions, close out, \
     closes the position",
        C::Action(Action::Exit),
    ),
    (
        "when, if, once, whenever, where, as soon as, every time, each time, any time, in case, whilst",
        C::When,
    ),
    ("at, on, upon", C::At),
    (
        "and, &, while, and while, and if, and when, and only if, and only when, but only if, \
     but only when, as long as, provided, provided that, and also",
        C::And,
    ),
    ("or, ||, or if, or when", C::Or),
    ("then, but, and then", C::Then),
    ("with, using, use, based on", C::With),
    ("of", C::Of),
    (
        "cross, crosses, crossed, crossing, crossover, crossovers, crosses back, cross back, \
     crosses through, crossing back",
        C::Verb(Verb::Cross),
    ),
    (
        "breaks, break, broke, breaking, breaks out, break out, breakout, breakouts, \
     breaks through, break through, breaks back",
        C::Verb(Verb::Break),
    ),
    ("breakdown, breaks down, break down", C::Verb(Verb::BreakDown)),
    (
        "touches, touch, touching, touched, hits, hit, hitting, reaches, reach, reaching, makes, \
     sets, tags",
        C::Verb(Verb::Touch),
    ),
    (
        "rises, rise, rising, risen, climbs, climb, gains back, jumps, jump, rallies, rises back, climbs back, \
     moves up, goes up, recovers, bounces, rose, bounces back",
        C::Verb(Verb::Rise),
    ),
    (
        "falls, fall, falling, fallen, drops, drop, dropping, dips, dip, declines, sinks, slips, \
     falls back, drops back, dips back, moves down, goes down, fell, dropped, plunges, \
     pulls back",
        C::Verb(Verb::Fall),
    ),
    (
        "goes, go, going, moves, move, gets, comes, turns, goes back, moves back, comes back, \
     gets back, pushes, passes",
        C::Verb(Verb::Move),
    ),
    ("closes, closing, stays, remains, trades, holds", C::Verb(Verb::State)),
    (
        "above, over, >, greater than, higher than, more than, larger than, bigger than, exceeds, \
     up through, upward through",
        C::Direction(true),
    ),
    (
        "below, under, beneath, underneath, <, less than, lower than, smaller than, down through, \
     downward through",
        C::Direction(false),
    ),
    ("or equal to, or equal", C::OrEqual),
    (
        "vice versa, opposite, reverse, opposite signal, \
     reverse signal, opposite cross, reverse cross, opposite crossover, reverse crossover, \
     opposite condition",
        C::Opposite,
    ),
    ("price, prices, close, closing price, close price, stock price", C::Price(Price::Close)),
    ("open, opening price, open price", C::Price(Price::Open)),
    ("volume, trading volume", C::Price(Price::Volume)),
    ("yesterday, yesterday's", C::Yesterday),
    ("ago, earlier", C::Ago),
    ("x, times, *", C::Times),
    ("for", C::For),
    ("in a row, consecutive, consecutively, straight, running", C::Row),
    ("after", C::After),
    ("later", C::Later),
    (
        "hold, hold it, holding, hold the position, hold position, holding period, maximum holding period, \
     max holding period, holding time, maximum holding time, time stop, time exit, time based exit, \
     hold for a maximum, hold for max, hold for up to, hold up to, hold for a maximum of",
        C::Hold,
    ),
    ("not, isn't", C::Not),
    ("unless, except when, except if", C::Unless),
    ("between", C::Between),
    ("sloping up, upward sloping, trending up, increasing, trending higher, moving higher", C::Slope(true)),
    (
        "sloping down, downward sloping, trending down, decreasing, trending lower, moving lower",
        C::Slope(false),
    ),
    (
        "green candle, green candles, green bar, green bars, green day, green days, bullish candle, \
     bullish candles, bullish bar, bullish bars",
        C::Candle { up: true, body: true },
    ),
    (
        "red candle, red candles, red bar, red bars, red day, red days, bearish candle, bearish candles, \
     bearish bar, bearish bars",
        C::Candle { up: false, body: true },
    ),
    (
        "up day, up days, up bar, up bars, higher close, higher closes, closes higher, closed higher, closes up, \
     close higher",
        C::Candle { up: true, body: false },
    ),
    (
        "down day, down days, down bar, down bars, lower close, lower closes, closes lower, closed lower, \
     closes down, close lower",
        C::Candle { up: false, body: false },
    ),
    ("closes higher than, closed higher than, close higher than", C::Direction(true)),
    ("closes lower than, closed lower than, close lower than", C::Direction(false)),
    ("up", C::Trend(true)),
    ("down", C::Trend(false)),
    (
        "trailing stop, trailing stop loss, trailing stops, trailing, trail, trail stop, trail the stop, \
     trail stop loss, trail the stop loss, trailing sl",
        C::Trailing,
    ),
    (
        "risk reward, risk reward ratio, risk / reward, risk / reward ratio, risk to reward, \
     risk to reward ratio, reward to risk, reward to risk ratio, reward risk, reward risk ratio, \
     reward / risk, reward / risk ratio, rr, r / r, rr ratio",
        C::RiskReward,
    ),
    ("r", C::RMultiple),
    ("risk, risking, risks", C::Risk),
    ("per trade, each trade, on each trade, per position, on every trade", C::PerTrade),
    (
        "equity, capital, portfolio, account, cash, account balance, balance, account equity, \
     account size, available cash",
        C::Equity,
    ),
    ("position size, position sizing, size, sizing, invest, investing, allocate, allocating", C::Size),
    ("shares, share, units, unit, contracts, contract, lots", C::Units),
    ("$", C::Currency),
    (
        "vice versa for shorts, vice versa for short, vice versa for short positions, opposite for shorts, \
     opposite for short, reverse for shorts, reverse for short, opposite for short positions, \
     both directions, both sides, trade both directions, trade both sides, long and short, stop and reverse, \
     always in the market, in both directions",
        C::Mirror,
    ),
    (
        "wma, wmas, weighted moving average, weighted moving averages, linear weighted moving average",
        C::Average(Average::Weighted),
    ),
    ("atr, average true range, average true range atr", C::Line(Line::Atr)),
    ("adx, average directional index, average directional index adx", C::Line(Line::Adx)),
    ("+di, plus di, di plus, positive directional indicator", C::Line(Line::PlusDi)),
    ("-di, minus di, di minus, negative directional indicator", C::Line(Line::MinusDi)),
    ("cci, commodity channel index, commodity channel index cci", C::Line(Line::Cci)),
    ("roc, rate of change, rate of change roc", C::Line(Line::Roc)),
    ("momentum", C::Line(Line::Momentum)),
    ("vwap, volume weighted average price, rolling vwap", C::Line(Line::Vwap)),
    (
        "stochastic, stochastics, stochastic oscillator, stoch, stochastic k, stochastic %k, %k, stoch k, k line, \
     %k line, stochastic's %k, slow stochastic",
        C::Stochastic(false),
    ),
    ("%d, stochastic d, stochastic %d, stoch d, d line, %d line", C::Stochastic(true)),
    (
        "sma, smas, ma, mas, moving average, moving averages, simple moving average, \
     simple moving averages, dma, average",
        C::Average(Average::Simple),
    ),
    (
        "ema, emas, exponential moving average, exponential moving averages, exponential average",
        C::Average(Average::Exponential),
    ),
    ("rsi, relative strength index, relative strength index rsi", C::Line(Line::Rsi)),
    ("macd, macd line, moving average convergence divergence", C::Macd),
    ("signal line, signal, macd signal line, macd signal, macd's signal line", C::SignalLine),
    ("histogram, macd histogram", C::Histogram),
    ("bollinger, bollingers, bb, bbands", C::Bollinger),
    ("band, bands, channel, channels", C::BandWord),
    ("upper, top", C::Side(Band::Upper)),
    ("middle, mid, center, centre", C::Side(Band::Middle)),
    ("lower, bottom", C::Side(Band::Lower)),
    ("donchian, donchian channel, donchian channels", C::Donchian),
    ("high, highs, highest high", C::Extreme(Extreme::High)),
    ("low, lows, lowest low", C::Extreme(Extreme::Low)),
    ("last, past, previous, prior, preceding", C::Past),
    (
        "standard deviation, standard deviations, deviation, deviations, std, stdev, std dev, \
     stds, sigma, sd",
        C::Deviation,
    ),
    ("overbought, overbought zone, overbought territory, overbought level, overbought region", C::Zone(true)),
    ("oversold, oversold zone, oversold territory, oversold level, oversold region", C::Zone(false)),
    ("golden cross, golden crossover, golden crosses", C::NamedCross(true)),
    ("death cross, death crossover, dead cross, death crosses", C::NamedCross(false)),
    ("bullish", C::Bias(true)),
    ("bearish", C::Bias(false)),
    ("positive", C::Sign(true)),
    ("negative", C::Sign(false)),
    ("day, days, d, day's, days'", C::Day),
    ("bar, bars, bar's, candle, candles, candle's, period, periods, length, lookback, window, p", C::Bars),
    (
        "stop loss, stop losses, stop, stops, stoploss, sl, stop out, cut losses, cut loss, \
     cut the loss",
        C::Stop,
    ),
    (
        "take profit, take profits, profit target, target, tp, take profit target, profit taking, \
     target profit",
        C::Target,
    ),
    ("profit, gain, profits, gains", C::Outcome(true)),
    ("loss", C::Outcome(false)),
    (
        "below entry, below entry price, below the entry, below the entry price, under entry, \
     under the entry price, below my entry, below my entry price, below our entry, \
     below the buy price, below the purchase price, below buy price",
        C::FromEntry(false),
    ),
    (
        "above entry, above entry price, above the entry, above the entry price, over entry, \
     over the entry price, above my entry, above my entry price, above our entry, \
     above the buy price, above the purchase price, above buy price",
        C::FromEntry(true),
    ),
    ("it, it's, they", C::Pronoun),
    ("turtle, turtle trading, turtle breakout, turtle trader", C::Turtle),
    ("mean reversion, mean reverting, bounce", C::MeanReversion),
    ("trend following, trend follower, swing, swing trading", C::Style),
    ("strategy, system, strategies", C::Topic),
    (
        "long only, longs only, only long, no shorts, no shorting, no short selling, never short, \
     don't short, do not short, without shorting",
        C::LongOnly,
    ),
    ("%, percent, per cent, pct", C::Percent),
    ("(", C::OpenParen),
    (")", C::CloseParen),
    (",", C::Comma),
    (";", C::Break),
    (":", C::Colon),
    ("/", C::Slash),
    ("-", C::Dash),
    ("=, ==", C::Equals),
    (
        "a, an, the, my, our, i, i'd, we, you, me, please, want, wants, would, like, to, should, will, \
     must, is, are, be, been, being, becomes, has, have, its, their, that, which, this, \
     create, write, make, build, generate, implement, develop, design, python, bot, algorithm, \
     trading, trader, stock, stocks, asset, instrument, security, position, \
     positions, trade, value, level, line, reading, indicator, current, currently, \
     now, also, only, both, either, in, into, new, there, there's, set, place, add, \
     apply, classic, simple, basic, standard, rule, rules, signals, condition, stock's, does, \
     somewhere",
        C::Filler,
    ),
];

/// Relations that carry their own equality; `true` = above.
pub(super) const SYMBOLIC: &[(&str, bool)] = &[
    (
        ">=, at least, at or above, greater than or equal to, above or equal to, no less than, not below, \
      is not below, isn't below",
        true,
    ),
    (
        "<=, at most, at or below, less than or equal to, below or equal to, no more than, not above, \
      is not above, isn't above",
        false,
    ),
];

/// Number words; composed ones ("two hundred") leave a word over and are refused.
pub(super) const NUMBER_WORDS: [&str; 21] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];
pub(super) const TENS: [&str; 7] = ["thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
