//! Descriptions and the rules they must become.

/// A description and its rules, joined by "; ".
pub(crate) const ACCEPTED: &[(&str, &str)] = &[
    ("Buy when RSI < 30, sell when RSI > 70", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    ("Buy on RSI < 30, sell on RSI > 70", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    ("Buy on RSI < 30", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    (
        "rsi(14) drops below 30 buy, sell when it rises above 70",
        "buy when RSI(14) crosses below 30; sell when RSI(14) crosses above 70",
    ),
    (
        "Buy when rsi(14) drops below 30 and sell when it rises above 70",
        "buy when RSI(14) crosses below 30; sell when RSI(14) crosses above 70",
    ),
    ("Buy when RSI is oversold and sell when overbought", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    (
        "Buy when the RSI is oversold (below 25), sell when it is overbought (above 75)",
        "buy when RSI(14) < 25; sell when RSI(14) > 75",
    ),
    (
        "Buy if the 14-period RSI falls below 30. Sell if it goes above 70.",
        "buy when RSI(14) crosses below 30; sell when RSI(14) crosses above 70",
    ),
    ("Go long when RSI(2) is below 10, exit when RSI > 90", "buy when RSI(2) < 10; sell when RSI(2) > 90"),
    ("Short when RSI > 80 and cover when RSI < 20", "short when RSI(14) > 80; cover when RSI(14) < 20"),
    (
        "Short when RSI(14) rises above 70, cover when it drops below 30, with a 3% stop loss",
        "short when RSI(14) crosses above 70; cover when RSI(14) crosses below 30; stop loss 3 %",
    ),
    (
        "Enter long when 20 EMA crosses above 50 EMA",
        "buy when EMA(20) crosses above EMA(50); sell when EMA(20) crosses below EMA(50)",
    ),
    (
        "Buy when the 20 EMA crosses above the 50 EMA and sell when it crosses below",
        "buy when EMA(20) crosses above EMA(50); sell when EMA(20) crosses below EMA(50)",
    ),
    (
        "Buy on golden cross, sell on death cross",
        "buy when SMA(50) crosses above SMA(200); sell when SMA(50) crosses below SMA(200)",
    ),
    (
        "golden cross strategy",
        "buy when SMA(50) crosses above SMA(200); sell when SMA(50) crosses below SMA(200)",
    ),
    ("Golden cross", "buy when SMA(50) crosses above SMA(200); sell when SMA(50) crosses below SMA(200)"),
    (
        "Buy when the 50-day SMA crosses above the 200-day SMA; sell on the opposite cross",
        "buy when SMA(50) crosses above SMA(200); sell when SMA(50) crosses below SMA(200)",
    ),
    (
        "Buy when price crosses above its 200-day SMA",
        "buy when close crosses above SMA(200); sell when close crosses below SMA(200)",
    ),
    (
        "Buy when price is above the 200 day moving average, sell when below",
        "buy when close > SMA(200); sell when close < SMA(200)",
    ),
    (
        "Buy when 10 SMA crosses above 30 SMA and vice versa",
        "buy when SMA(10) crosses above SMA(30); sell when SMA(10) crosses below SMA(30)",
    ),
    (
        "Buy when MACD crosses above signal line and sell when MACD crosses below signal line",
        "buy when MACD(12,26,9) crosses above MACD(12,26,9) signal line; sell when MACD(12,26,9) crosses below MACD(12,26,9) signal line",
    ),
    (
        "Buy when MACD crosses its signal line",
        "buy when MACD(12,26,9) crosses above MACD(12,26,9) signal line; sell when MACD(12,26,9) crosses below MACD(12,26,9) signal line",
    ),
    (
        "MACD crossover strategy",
        "buy when MACD(12,26,9) crosses above MACD(12,26,9) signal line; sell when MACD(12,26,9) crosses below MACD(12,26,9) signal line",
    ),
    (
        "Buy when MACD(12,26,9) crosses above zero, sell when it crosses below zero",
        "buy when MACD(12,26,9) crosses above 0; sell when MACD(12,26,9) crosses below 0",
    ),
    (
        "Buy on a bullish MACD crossover and sell on a bearish MACD crossover",
        "buy when MACD(12,26,9) crosses above MACD(12,26,9) signal line; sell when MACD(12,26,9) crosses below MACD(12,26,9) signal line",
    ),
    (
        "Buy when MACD histogram turns positive, sell when it turns negative",
        "buy when MACD(12,26,9) histogram crosses above 0; sell when MACD(12,26,9) histogram crosses below 0",
    ),
    (
        "Buy when MACD 5/35/5 crosses above the signal line",
        "buy when MACD(5,35,5) crosses above MACD(5,35,5) signal line; sell when MACD(5,35,5) crosses below MACD(5,35,5) signal line",
    ),
    (
        "Buy when price touches the lower Bollinger Band and sell when price touches the upper band",
        "buy when low <= lower Bollinger band(20, 2); sell when high >= upper Bollinger band(20, 2)",
    ),
    (
        "Buy when the price closes below the lower Bollinger band (20, 2.5) and sell when it crosses above the middle band",
        "buy when close < lower Bollinger band(20, 2.5); sell when close crosses above middle Bollinger band(20, 2.5)",
    ),
    (
        "Buy at the lower bollinger band and sell at the upper bollinger band with 20 periods and 2 standard deviations",
        "buy when low <= lower Bollinger band(20, 2); sell when high >= upper Bollinger band(20, 2)",
    ),
    (
        "Bollinger Bands (20, 2): buy when price crosses below lower band, sell at upper band",
        "buy when close crosses below lower Bollinger band(20, 2); sell when high >= upper Bollinger band(20, 2)",
    ),
    (
        "Buy when price breaks above the 20-day high, sell when it breaks below the 10-day low",
        "buy when close crosses above high of the previous 20 bars; sell when close crosses below low of the previous 10 bars",
    ),
    (
        "Buy a 20-day breakout",
        "buy when close crosses above high of the previous 20 bars; sell when close crosses below low of the previous 20 bars",
    ),
    (
        "Buy on a new 55-day high, exit on a 20-day low",
        "buy when close > high of the previous 55 bars; sell when close < low of the previous 20 bars",
    ),
    (
        "turtle strategy",
        "buy when close crosses above high of the previous 20 bars; sell when close crosses below low of the previous 10 bars",
    ),
    (
        "Turtle trading 55/20",
        "buy when close crosses above high of the previous 55 bars; sell when close crosses below low of the previous 20 bars",
    ),
    (
        "Buy when price breaks above the upper Donchian channel (20), sell when it breaks below the lower Donchian channel (10)",
        "buy when close crosses above high of the previous 20 bars; sell when close crosses below low of the previous 10 bars",
    ),
    (
        "Buy when RSI < 30 and price above the 200-day SMA, sell when RSI > 70, 5% stop loss, take profit at 10%",
        "buy when RSI(14) < 30 and close > SMA(200); sell when RSI(14) > 70; stop loss 5 %; take profit 10 %",
    ),
    (
        "Buy when RSI < 30 or price is below the lower Bollinger band, sell when RSI > 70",
        "buy when RSI(14) < 30 or close < lower Bollinger band(20, 2); sell when RSI(14) > 70",
    ),
    (
        "Buy when (RSI < 30 or MACD crosses above the signal line) and price above 50 EMA; sell when RSI > 70",
        "buy when (RSI(14) < 30 or MACD(12,26,9) crosses above MACD(12,26,9) signal line) and close > EMA(50); sell when RSI(14) > 70",
    ),
    (
        "Buy when RSI < 30 with 5% stop and 10% target",
        "buy when RSI(14) < 30; stop loss 5 %; take profit 10 %",
    ),
    (
        "Buy when RSI < 30, stop loss of 2 percent and take profit of 4 per cent",
        "buy when RSI(14) < 30; stop loss 2 %; take profit 4 %",
    ),
    ("When RSI < 30, buy. When RSI > 70, sell.", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    (
        "If RSI is below 30 then buy and if RSI is above 70 then sell",
        "buy when RSI(14) < 30; sell when RSI(14) > 70",
    ),
    ("RSI(14) strategy: buy below 30, sell above 70", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    ("RSI 30/70", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    ("RSI mean reversion strategy", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    (
        "Using RSI with period 7, buy when below 20 and sell when above 80",
        "buy when RSI(7) < 20; sell when RSI(7) > 80",
    ),
    ("Buy when RSI < 30 and hold until RSI > 60", "buy when RSI(14) < 30; sell when RSI(14) > 60"),
    (
        "Create a strategy that buys when the 12-day EMA crosses above the 26-day EMA and sells when it crosses below",
        "buy when EMA(12) crosses above EMA(26); sell when EMA(12) crosses below EMA(26)",
    ),
    (
        "12/26 EMA crossover strategy",
        "buy when EMA(12) crosses above EMA(26); sell when EMA(12) crosses below EMA(26)",
    ),
    (
        "EMA(12,26) crossover",
        "buy when EMA(12) crosses above EMA(26); sell when EMA(12) crosses below EMA(26)",
    ),
    (
        "Buy when 50/200 SMA cross",
        "buy when SMA(50) crosses above SMA(200); sell when SMA(50) crosses below SMA(200)",
    ),
    (
        "I want to buy when RSI goes under 35 and sell at 8% profit or 4% loss",
        "buy when RSI(14) crosses below 35; stop loss 4 %; take profit 8 %",
    ),
    (
        "Buy when RSI < 30, exit when RSI > 70 or 5% stop loss",
        "buy when RSI(14) < 30; sell when RSI(14) > 70; stop loss 5 %",
    ),
    (
        "Buy when RSI < 30, sell if price falls 5% below entry or rises 10% above the entry price",
        "buy when RSI(14) < 30; stop loss 5 %; take profit 10 %",
    ),
    (
        "Buy when EMA 9 > EMA 21 and RSI > 50, sell when EMA 9 < EMA 21",
        "buy when EMA(9) > EMA(21) and RSI(14) > 50; sell when EMA(9) < EMA(21)",
    ),
    (
        "Long only. Buy when RSI <= 30; sell when RSI >= 70.",
        "buy when RSI(14) <= 30; sell when RSI(14) >= 70",
    ),
    ("Buy when RSI ≤ 30 – sell when RSI ≥ 70", "buy when RSI(14) <= 30; sell when RSI(14) >= 70"),
    (
        "Buy when RSI<30, short when RSI>70",
        "buy when RSI(14) < 30; sell when RSI(14) > 70; short when RSI(14) > 70; cover when RSI(14) < 30",
    ),
    (
        "Buy when 10 EMA crosses above 20 EMA, short when 10 EMA crosses below 20 EMA, 2% stop",
        "buy when EMA(10) crosses above EMA(20); sell when EMA(10) crosses below EMA(20); short when EMA(10) crosses below EMA(20); cover when EMA(10) crosses above EMA(20); stop loss 2 %",
    ),
    (
        "Buy when rsi crosses above 30, sell when rsi crosses below 70",
        "buy when RSI(14) crosses above 30; sell when RSI(14) crosses below 70",
    ),
    (
        "Buy when RSI < 30 and sell when RSI > 70 with a stop loss of 2.5%",
        "buy when RSI(14) < 30; sell when RSI(14) > 70; stop loss 2.5 %",
    ),
    (
        "Buy when 20 EMA crosses above 50 EMA, stop loss 3%, take profit 9%",
        "buy when EMA(20) crosses above EMA(50); stop loss 3 %; take profit 9 %",
    ),
    (
        "Buy when price is above 50 SMA and below 200 SMA, sell when price is above 200 SMA",
        "buy when close > SMA(50) and close < SMA(200); sell when close > SMA(200)",
    ),
    (
        "Buy when RSI(14) is at most 25 and sell when RSI(14) is at least 75",
        "buy when RSI(14) <= 25; sell when RSI(14) >= 75",
    ),
    (
        "Buy when price exceeds the 100-period EMA, exit when price is under the 100-period EMA",
        "buy when close > EMA(100); sell when close < EMA(100)",
    ),
    ("Buy when RSI < 30", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    ("Short when RSI > 70", "short when RSI(14) > 70; cover when RSI(14) < 30"),
    ("Buy when RSI drops below 35", "buy when RSI(14) crosses below 35; sell when RSI(14) crosses above 65"),
    (
        "Buy when 50-day SMA crosses above the 200-day SMA; sell on the opposite cross",
        "buy when SMA(50) crosses above SMA(200); sell when SMA(50) crosses below SMA(200)",
    ),
    (
        "Buy when RSI < 30, sell when RSI > 70 or at 10% profit",
        "buy when RSI(14) < 30; sell when RSI(14) > 70; take profit 10 %",
    ),
    (
        "Buy when price breaks the 200 SMA",
        "buy when close crosses above SMA(200); sell when close crosses below SMA(200)",
    ),
    (
        "Buy when price breaks the upper bollinger band, sell when it breaks the lower band",
        "buy when close crosses above upper Bollinger band(20, 2); sell when close crosses below lower Bollinger band(20, 2)",
    ),
    (
        "Buy when 20 day high and RSI > 50, sell on 10 day low",
        "buy when close > high of the previous 20 bars and RSI(14) > 50; sell when close < low of the previous 10 bars",
    ),
    ("Buy RSI < 30 sell RSI > 70", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    ("Sell when RSI > 70 buy when RSI < 30", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    ("buy if rsi < 30, if rsi > 70 sell", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    (
        "Buy when the close is above the upper Bollinger Band (period 20, 2 standard deviations); sell when the close falls below the middle band.",
        "buy when close > upper Bollinger band(20, 2); sell when close crosses below middle Bollinger band(20, 2)",
    ),
    (
        "Buy when relative strength index (RSI) with period 14 is less than 30 and sell when it is greater than 70",
        "buy when RSI(14) < 30; sell when RSI(14) > 70",
    ),
    (
        "Buy when price crosses above the 50-day simple moving average (SMA) and exit when it crosses back below",
        "buy when close crosses above SMA(50); sell when close crosses below SMA(50)",
    ),
    (
        "Strategy: long when EMA(9) crosses above EMA(21); exit on reverse cross; stop loss: 3%; take profit: 6%",
        "buy when EMA(9) crosses above EMA(21); sell when EMA(9) crosses below EMA(21); stop loss 3 %; take profit 6 %",
    ),
    (
        "entry: RSI < 30\nexit: RSI > 70\nstop: 5%",
        "buy when RSI(14) < 30; sell when RSI(14) > 70; stop loss 5 %",
    ),
    (
        "Buy when RSI below thirty and sell when RSI above seventy",
        "buy when RSI(14) < 30; sell when RSI(14) > 70",
    ),
    (
        "Buy when RSI < 30 and MACD crosses above signal line and price > SMA(200), sell when MACD crosses below signal line or RSI > 75",
        "buy when RSI(14) < 30 and MACD(12,26,9) crosses above MACD(12,26,9) signal line and close > SMA(200); sell when MACD(12,26,9) crosses below MACD(12,26,9) signal line or RSI(14) > 75",
    ),
    (
        "Buy when RSI < 30 or RSI > 70 and price above 50 SMA, sell when RSI > 80",
        "buy when RSI(14) < 30 or (RSI(14) > 70 and close > SMA(50)); sell when RSI(14) > 80",
    ),
    (
        "Buy on 20 day breakout, short on 20 day breakdown",
        "buy when close crosses above high of the previous 20 bars; sell when close crosses below low of the previous 20 bars; short when close crosses below low of the previous 20 bars; cover when close crosses above high of the previous 20 bars",
    ),
    (
        "Buy when price breaks above Donchian channel, sell when price breaks below Donchian channel",
        "buy when close crosses above high of the previous 20 bars; sell when close crosses below low of the previous 20 bars",
    ),
    (
        "Buy if the RSI drops under 30 and the price is above the 200 day SMA and sell if the RSI climbs over 70",
        "buy when RSI(14) crosses below 30 and close > SMA(200); sell when RSI(14) crosses above 70",
    ),
    ("RSI(14): buy < 30, sell > 70", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    (
        "Buy when MACD is positive and sell when MACD is negative",
        "buy when MACD(12,26,9) > 0; sell when MACD(12,26,9) < 0",
    ),
    (
        "Buy when MACD line (8, 17, 9) crosses signal line, sell when it crosses below the signal line",
        "buy when MACD(8,17,9) crosses above MACD(8,17,9) signal line; sell when MACD(8,17,9) crosses below MACD(8,17,9) signal line",
    ),
    (
        "Buy when RSI is < 30 but only if price is above 100-day EMA; exit when RSI > 55",
        "buy when RSI(14) < 30 and close > EMA(100); sell when RSI(14) > 55",
    ),
    (
        "Momentum strategy: buy when price makes a new 50-day high, sell when it makes a new 25-day low",
        "buy when close > high of the previous 50 bars; sell when close < low of the previous 25 bars",
    ),
    (
        "Buy 20/50 EMA crossover, sell on death cross",
        "buy when EMA(20) crosses above EMA(50); sell when SMA(50) crosses below SMA(200)",
    ),
    (
        "bollinger bounce strategy",
        "buy when close < lower Bollinger band(20, 2); sell when close > middle Bollinger band(20, 2)",
    ),
    (
        "Buy when price is not above 200 SMA, sell when price is above 200 SMA",
        "buy when close <= SMA(200); sell when close > SMA(200)",
    ),
    ("Buy when RSI < .5, sell when RSI > 99.5", "buy when RSI(14) < 0.5; sell when RSI(14) > 99.5"),
    ("close when RSI > 70, buy when RSI < 30", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    ("buy when rsi < 30; close the position when rsi > 70", "buy when RSI(14) < 30; sell when RSI(14) > 70"),
    (
        "Using MACD and RSI, buy when MACD crosses above signal and RSI < 50, sell when MACD crosses below signal",
        "buy when MACD(12,26,9) crosses above MACD(12,26,9) signal line and RSI(14) < 50; sell when MACD(12,26,9) crosses below MACD(12,26,9) signal line",
    ),
    ("Buy when RSI(2) < 10 and sell when the RSI is above 90", "buy when RSI(2) < 10; sell when RSI(2) > 90"),
    (
        "Buy when RSI is below 30 (oversold) and sell when RSI is above 70 (overbought)",
        "buy when RSI(14) < 30; sell when RSI(14) > 70",
    ),
    (
        "Mean reversion: buy when RSI(3) < 15, sell when RSI(3) > 85",
        "buy when RSI(3) < 15; sell when RSI(3) > 85",
    ),
    (
        "A momentum strategy that buys at 20-day highs and sells at 10-day lows",
        "buy when close > high of the previous 20 bars; sell when close < low of the previous 10 bars",
    ),
    (
        "If the 10-day moving average crosses above the 50-day moving average, buy. If it crosses below, sell.",
        "buy when SMA(10) crosses above SMA(50); sell when SMA(10) crosses below SMA(50)",
    ),
    (
        "Buy when price dips below the lower band of the 20-day Bollinger Bands, and sell when it reaches the upper band",
        "buy when close crosses below lower Bollinger band(20, 2); sell when high >= upper Bollinger band(20, 2)",
    ),
    (
        "Buy when price closes above the 20-day high and short when price closes below the 20-day low",
        "buy when close > high of the previous 20 bars; sell when close < low of the previous 20 bars; short when close < low of the previous 20 bars; cover when close > high of the previous 20 bars",
    ),
    (
        "EMA crossover 12/26",
        "buy when EMA(12) crosses above EMA(26); sell when EMA(12) crosses below EMA(26)",
    ),
    (
        "Buy 100 shares when RSI < 30, sell when RSI > 70",
        "buy when RSI(14) < 30; sell when RSI(14) > 70; size 100 units",
    ),
    (
        "Buy when RSI < 30, sell when RSI > 70, trailing stop 5%",
        "buy when RSI(14) < 30; sell when RSI(14) > 70; trailing stop 5 %",
    ),
    (
        "Buy when RSI < 30 for 3 days, sell when RSI > 70",
        "buy when (RSI(14) < 30) for 3 bars; sell when RSI(14) > 70",
    ),
    (
        "Buy when stochastic is oversold",
        "buy when Stochastic(14,3,3) %K < 20; sell when Stochastic(14,3,3) %K > 80",
    ),
    ("Buy if RSI(14) < 30 and sell after 5 days", "buy when RSI(14) < 30; exit after 5 bars"),
];
