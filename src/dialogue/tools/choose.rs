//! Whether a question is for a tool: rules over words, since a small model calls whatever it is shown.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::dialogue::question::{self, Ask, Attribute};
use crate::wire::{Tool, ToolChoice, ToolMode};

/// How an answer uses the tools.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Use {
    /// Not at all.
    No,
    /// The model is shown these and decides.
    Offer(Vec<Tool>),
    /// One of these is called.
    Force(Vec<Tool>),
}

/// A tool whose words stand in the question at least this well is meant.
const MEANT: u32 = 4;
/// Tools that the model is shown, best first.
const MOST_SHOWN: usize = 8;

/// How an answer to `question` uses `tools`. `decided`: the facts of the picture or the memory answer it, or it is an order that Sightline
/// itself obeys.
pub(crate) fn decide(choice: &ToolChoice, tools: &[Tool], question: &str, decided: bool) -> Use {
    match choice {
        _ if tools.is_empty() => Use::No,
        ToolChoice::Mode(ToolMode::None) => Use::No,
        ToolChoice::Function(named) => match tools.iter().find(|t| t.name == named.name) {
            Some(tool) => Use::Force(vec![tool.clone()]),
            None => Use::No,
        },
        ToolChoice::Mode(ToolMode::Required) => {
            let ranked = ranked(tools, question);
            let meant = meant(&ranked, decided);
            Use::Force(if meant.is_empty() { shown(&ranked) } else { meant })
        }
        ToolChoice::Mode(ToolMode::Auto) => {
            let ranked = ranked(tools, question);
            let meant = meant(&ranked, decided);
            if !meant.is_empty() {
                return Use::Force(meant);
            }
            let touched = ranked.first().is_some_and(|fit| fit.score > 0);
            let offer = match question::analyse(question) {
                _ if decided => false,
                Ask::General => touched,
                Ask::Attribute(Attribute::Time | Attribute::Weather | Attribute::Price) => true,
                _ => false,
            };
            if offer { Use::Offer(shown(&ranked)) } else { Use::No }
        }
    }
}

/// How well a tool's words stand in a question.
struct Fit<'a> {
    tool: &'a Tool,
    score: u32,
    /// Words of its name, and how many of them were said.
    name: (u32, u32),
}

/// Those that a question means: what it is called was said, in whole where something else answers the question too.
fn meant(ranked: &[Fit<'_>], decided: bool) -> Vec<Tool> {
    let called = |fit: &&Fit<'_>| {
        let (words, said) = fit.name;
        if decided { words > 0 && said == words } else { said * 2 >= words && fit.score >= MEANT }
    };
    let fits: Vec<&Fit<'_>> = ranked.iter().filter(called).collect();
    let best = fits.first().map_or(0, |fit| fit.score);
    fits.into_iter().filter(|fit| fit.score == best).map(|fit| fit.tool.clone()).collect()
}

fn shown(ranked: &[Fit<'_>]) -> Vec<Tool> {
    ranked.iter().take(MOST_SHOWN).map(|fit| fit.tool.clone()).collect()
}

/// The tools by how well their words stand in the question, best first; equals in the client's order.
fn ranked<'a>(tools: &'a [Tool], question: &str) -> Vec<Fit<'a>> {
    let asked = stems(question);
    let mut ranked: Vec<_> = tools.iter().map(|t| fit(t, &asked)).collect();
    ranked.sort_by_key(|fit| std::cmp::Reverse(fit.score));
    ranked
}

/// Words of the name count most, then those of the description, then names and values of arguments.
fn fit<'a>(tool: &'a Tool, asked: &BTreeSet<String>) -> Fit<'a> {
    let count = |words: &BTreeSet<String>| u32::try_from(words.intersection(asked).count()).unwrap_or(u32::MAX);
    let name = stems(&split_name(&tool.name));
    let said = count(&name);
    let description = count(&stems(tool.description.as_deref().unwrap_or_default()));
    let mut arguments = String::new();
    if let Some(Value::Object(properties)) = tool.parameters.as_ref().and_then(|p| p.get("properties")) {
        for (key, schema) in properties.iter().take(16) {
            arguments.push_str(&split_name(key));
            arguments.push(' ');
            for value in schema.get("enum").and_then(Value::as_array).into_iter().flatten().take(16) {
                arguments.push_str(value.as_str().unwrap_or_default());
                arguments.push(' ');
            }
        }
    }
    let words = u32::try_from(name.len()).unwrap_or(u32::MAX);
    Fit { tool, score: said * 4 + description * 2 + count(&stems(&arguments)), name: (words, said) }
}

/// `getWeather`, `get_weather`, `get-weather`: get weather.
fn split_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut small = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && small {
            out.push(' ');
        }
        small = c.is_ascii_lowercase();
        out.push(if c.is_ascii_alphanumeric() { c } else { ' ' });
    }
    out
}

/// Words that say what something is about, each without its ending.
fn stems(text: &str) -> BTreeSet<String> {
    const EMPTY: &str = "a|an|the|of|in|on|at|to|for|from|by|with|and|or|is|are|was|were|be|it|its|this|that|these|those|what|which|who|how|when|where|\
        why|do|does|did|can|could|will|would|shall|should|may|i|you|we|my|your|me|us|given|get|gets|set|sets|use|used|uses|call|tool|function|return|\
        returns|returned|value|values|name|names|user|users|current|currently|now|please|if|as|there|any|some|about|into|information|data|new|not|no|have|\
        has|tell|show|let|want|need|like|know|give|see|look|make|one|up|out";
    let words = question::words(text);
    words.iter().filter(|w| w.len() > 1 && !EMPTY.split('|').any(|e| e == *w)).map(|w| stem(w)).collect()
}

/// Plurals and endings off: weather, weathers; convert, converting, conversion stay apart.
fn stem(word: &str) -> String {
    for (ending, least) in [("ings", 4), ("ing", 4), ("ies", 4), ("es", 4), ("ed", 4), ("s", 3), ("e", 4), ("y", 4)] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.len() >= least
        {
            return stem.to_owned();
        }
    }
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::NamedTool;

    fn tool(name: &str, description: &str, parameters: Value) -> Tool {
        Tool {
            kind: "function",
            name: name.to_owned(),
            description: Some(description.to_owned()),
            parameters: Some(parameters),
        }
    }

    fn tools() -> Vec<Tool> {
        let text = |key: &str| json!({"type": "object", "properties": {key: {"type": "string"}}, "required": [key]});
        vec![
            tool("get_weather", "Get the current weather in a city", text("city")),
            tool(
                "setTimer",
                "Starts a timer that rings after some minutes",
                json!({"type": "object", "properties": {"minutes": {"type": "integer"}}}),
            ),
            tool(
                "turn_on_light",
                "Switches a lamp on",
                json!({"type": "object", "properties": {"room": {"enum": ["kitchen", "bedroom"]}}}),
            ),
        ]
    }

    fn names(u: &Use) -> Vec<&str> {
        match u {
            Use::No => Vec::new(),
            Use::Offer(list) | Use::Force(list) => list.iter().map(|t| t.name.as_str()).collect(),
        }
    }

    #[test]
    fn a_tool_is_called_when_its_words_are_said_and_not_when_the_picture_is_asked_about() {
        let auto = |q: &str, decided| decide(&ToolChoice::AUTO, &tools(), q, decided);
        for (question, name) in [
            ("What's the weather like in Paris?", "get_weather"),
            ("Set a timer for ten minutes.", "setTimer"),
            ("Please turn on the kitchen light.", "turn_on_light"),
        ] {
            let used = auto(question, true);
            assert!(matches!(used, Use::Force(_)), "{question}: {used:?}");
            assert_eq!(names(&used), [name], "{question}");
        }
        for question in [
            "What colour is the cup?",
            "Who is that?",
            "Hello!",
            "What is the capital of France?",
            "What do you see?",
            "How many people are there?",
        ] {
            assert_eq!(auto(question, true), Use::No, "{question}");
            assert_eq!(auto(question, false), Use::No, "{question}");
        }
    }

    #[test]
    fn what_the_client_chose_is_done() {
        assert_eq!(decide(&ToolChoice::Mode(ToolMode::None), &tools(), "What is the weather?", true), Use::No);
        let named = ToolChoice::Function(NamedTool { kind: "function", name: "setTimer".into() });
        assert_eq!(names(&decide(&named, &tools(), "Hello", true)), ["setTimer"]);
        let required = ToolChoice::Mode(ToolMode::Required);
        assert_eq!(names(&decide(&required, &tools(), "Is it going to rain?", true)).len(), 3);
        assert_eq!(names(&decide(&required, &tools(), "The weather in Rome?", true)), ["get_weather"]);
        assert_eq!(decide(&required, &[], "The weather in Rome?", true), Use::No);
    }
}
