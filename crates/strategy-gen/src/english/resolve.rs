//! From clauses to a spec: sides, missing exits, assumptions.

use super::Refusal;
use super::clauses::Clauses;
use super::condition::Tree;
use super::cursor::state;
use super::exits;
use super::lexicon::Action;
use crate::spec::{Condition, Series, Side, StrategySpec};

/// Rules by action, each at most once.
#[derive(Debug, Default)]
struct Rules {
    buy: Option<Tree>,
    sell: Option<Tree>,
    short: Option<Tree>,
    cover: Option<Tree>,
    exit: Option<Tree>,
}

/// How a side is left, as far as the text says.
enum Leave<'a> {
    When(&'a Tree),
    Opposite,
    Unsaid,
}

pub(super) fn resolve(mut clauses: Clauses, mut notes: Vec<String>) -> Result<StrategySpec, Refusal> {
    let stated = !clauses.rules.is_empty();
    let enters = clauses.rules.iter().any(|(action, _)| matches!(action, Action::Buy | Action::Short));
    if !enters && (!stated || clauses.topics.iter().any(|topic| topic.preset.is_some())) {
        use_preset(&mut clauses, &mut notes)?;
    }
    let stated = stated && enters;
    let opposite = std::mem::take(&mut clauses.opposite);
    let mut rules = Rules::default();
    for (action, tree) in std::mem::take(&mut clauses.rules) {
        let (slot, word) = match action {
            Action::Buy => (&mut rules.buy, "buy"),
            Action::Sell => (&mut rules.sell, "sell"),
            Action::Short => (&mut rules.short, "short"),
            Action::Cover => (&mut rules.cover, "cover"),
            Action::Exit => (&mut rules.exit, "exit"),
        };
        if slot.replace(tree).is_some() {
            return Err(Refusal::because(
                format!("`{word}` is said twice"),
                "join the conditions with `and` or `or`",
            ));
        }
    }
    actions_fit(&rules, &opposite)?;

    let bind = |tree: &Tree, up: bool, notes: &mut Vec<String>| {
        tree.bind(up, notes).map_err(|message| Refusal::because(message, "say the direction"))
    };
    let long_entry = rules.buy.as_ref().map(|tree| bind(tree, true, &mut notes)).transpose()?;
    let mut short_entry = rules.short.as_ref().map(|tree| bind(tree, false, &mut notes)).transpose()?;
    if clauses.mirror {
        short_entry = Some(mirrored(short_entry, long_entry.as_ref())?);
    }
    let turn = |action: Action| opposite.contains(&action) || opposite.contains(&Action::Exit);
    let leaves_itself = clauses.take_profit.is_some() || clauses.max_bars.is_some();
    let trails = clauses.trailing_stop.is_some();
    let mut side =
        |entry: Option<&Condition>, own: Option<&Tree>, turns: bool, other: Option<&Condition>, up: bool| {
            let Some(entry) = entry else { return Ok(None) };
            let leave = match own.or(rules.exit.as_ref()) {
                Some(tree) => Leave::When(tree),
                None if turns => Leave::Opposite,
                None => Leave::Unsaid,
            };
            let exit = match leave {
                Leave::When(tree) => Some(bind(tree, up, &mut notes)?),
                Leave::Opposite => Some(exits::opposite(entry).ok_or_else(|| {
                    Refusal::because("the opposite of the entry is not clear", "say when to sell")
                })?),
                Leave::Unsaid => exits::unsaid(entry, other, leaves_itself, trails, &mut notes)?,
            };
            Ok::<_, Refusal>(Some(Side { entry: entry.clone(), exit }))
        };
    let long =
        side(long_entry.as_ref(), rules.sell.as_ref(), turn(Action::Sell), short_entry.as_ref(), false)?;
    let short =
        side(short_entry.as_ref(), rules.cover.as_ref(), turn(Action::Cover), long_entry.as_ref(), true)?;

    sides_fit(&clauses, short.is_some())?;
    if rules.sell.is_some() && short.is_none() {
        state(&mut notes, "`sell` closes the long position; nothing is sold short".to_owned());
    }
    if clauses.stop_loss.is_some() || clauses.take_profit.is_some() || clauses.trailing_stop.is_some() {
        state(&mut notes, "stop and target are measured from the close of the signal bar".to_owned());
    }
    let uses = if clauses.size.is_some() { "is" } else { "uses all available cash and is" };
    state(&mut notes, format!("each entry {uses} filled at the next bar's open"));
    let spec = StrategySpec {
        long,
        short,
        stop_loss: clauses.stop_loss,
        trailing_stop: clauses.trailing_stop,
        take_profit: clauses.take_profit,
        max_bars: clauses.max_bars,
        size: clauses.size.unwrap_or_default(),
        assumptions: notes,
    };
    if stated {
        topics_used(&clauses, &spec)?;
    }
    Ok(spec)
}

/// The entry of shorts that do the opposite of longs.
fn mirrored(short: Option<Condition>, long: Option<&Condition>) -> Result<Condition, Refusal> {
    match (short, long.and_then(exits::opposite)) {
        (None, Some(opposite)) => Ok(opposite),
        (Some(stated), Some(opposite)) if stated == opposite => Ok(stated),
        _ => Err(Refusal::because("the opposite of the long rules is not clear", "say when to short")),
    }
}

/// A text that only names a strategy stands for that strategy's rules.
fn use_preset(clauses: &mut Clauses, notes: &mut Vec<String>) -> Result<(), Refusal> {
    let mut presets = clauses.topics.iter().filter(|topic| topic.preset.is_some());
    let (Some(topic), None, 1) = (presets.next(), presets.next(), clauses.topics.len()) else {
        return Err(Refusal::because(
            "there is no rule to buy or to short",
            "write `buy when RSI < 30, sell when RSI > 70`",
        ));
    };
    let preset = topic.preset.clone().unwrap_or_default();
    // An exit of the text stands instead of that of the name.
    let exits = !clauses.rules.is_empty() || !clauses.opposite.is_empty();
    clauses.rules.extend(preset.into_iter().filter(|(action, _)| *action == Action::Buy || !exits));
    if let Some(note) = &topic.note {
        state(notes, note.clone());
    }
    Ok(())
}

/// Every exit needs its entry, and only one.
fn actions_fit(rules: &Rules, opposite: &[Action]) -> Result<(), Refusal> {
    let refuse = |message: &str, hint: &str| Err(Refusal::because(message, hint));
    if rules.buy.is_none() && rules.short.is_none() {
        return if rules.sell.is_some() {
            refuse("`sell` without `buy`", "say when to buy, or write `short` to sell short")
        } else {
            refuse("there is no rule to buy or to short", "say when to buy")
        };
    }
    let turns = |action| opposite.contains(&action);
    if rules.buy.is_none() && (rules.sell.is_some() || turns(Action::Sell)) {
        return refuse("`sell` without `buy`", "write `cover` to close a short position");
    }
    if rules.short.is_none() && (rules.cover.is_some() || turns(Action::Cover)) {
        return refuse("`cover` without `short`", "write `sell` to close a long position");
    }
    let twice = |own: bool, turned: bool| usize::from(own) + usize::from(turned) > 1;
    let exit = rules.exit.is_some() || turns(Action::Exit);
    if (exit && (rules.sell.is_some() || rules.cover.is_some()))
        || twice(rules.exit.is_some(), turns(Action::Exit))
        || twice(rules.sell.is_some(), turns(Action::Sell))
        || twice(rules.cover.is_some(), turns(Action::Cover))
    {
        return refuse("the exit is said twice", "join the conditions with `and` or `or`");
    }
    Ok(())
}

fn sides_fit(clauses: &Clauses, short: bool) -> Result<(), Refusal> {
    if short && clauses.long_only {
        return Err(Refusal::because("long only, yet there is a rule to short", "drop one of them"));
    }
    if short && clauses.long_words {
        return Err(Refusal::because(
            "a distance below or above the entry is said for long positions only",
            "write `5% stop loss`",
        ));
    }
    Ok(())
}

/// A named indicator that no rule uses was meant for something.
fn topics_used(clauses: &Clauses, spec: &StrategySpec) -> Result<(), Refusal> {
    let used: Vec<Series> = spec
        .conditions()
        .flat_map(Condition::signals)
        .flat_map(|signal| std::iter::once(signal.left).chain(signal.right.series()))
        .collect();
    for topic in &clauses.topics {
        if topic.binding {
            return Err(Refusal::because("the strategy is named and spelled out at once", "drop the name"));
        }
        if let Some(unused) =
            topic.lines.iter().find(|line| !used.iter().any(|series| series.same_indicator(line)))
        {
            return Err(Refusal::because(
                format!("`{unused}` is named, but no rule uses it"),
                "use it in a rule or drop it",
            ));
        }
    }
    Ok(())
}
