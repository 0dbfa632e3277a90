//! Prompts with tools, in the words of Qwen2.5's chat template: signatures in the system message, and calls; results stand behind the question.

use serde_json::Value;

use super::call::Offer;
use super::{MOST_CALLS, RESULT_CHARS, TOOLS_TOKENS};
use crate::dialogue::items::Item;
use crate::dialogue::prompt::{CALL_CLOSE, CALL_OPEN, plain};
use crate::dialogue::prompt_build::{self, Asked, Basis, Built};
use crate::dialogue::{Prompt, ground::Ground, things};
use crate::wire::Tool;

/// A call and what the client's function gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolResult {
    pub(crate) name: String,
    pub(crate) arguments: String,
    pub(crate) output: String,
}

/// The calls among `items` whose results are there too, oldest first.
pub(crate) fn results(items: &[&Item]) -> Vec<ToolResult> {
    let output = |call_id: &str| {
        let of = |i: &&&Item| i.view.output.is_some() && i.view.call_id.as_deref() == Some(call_id);
        items.iter().find(of).and_then(|i| i.view.output.clone())
    };
    let result = |i: &&Item| {
        let (name, arguments) = (i.view.name.clone()?, i.view.arguments.clone()?);
        Some(ToolResult { name, arguments, output: output(i.view.call_id.as_deref()?)? })
    };
    items.iter().filter_map(result).collect()
}

/// The prompt of an answer that may be a call, or that is given from results.
pub(crate) fn build(offer: &Offer, basis: Basis<'_>) -> Built {
    let Basis { asked, budget, count, .. } = basis;
    let mut ground = Ground::without_eyes();
    if !offer.tools.is_empty() {
        // Words before a call, and the line that ends them, must not end the answer.
        ground.sentences = 3;
    }
    let signatures = signatures(&offer.tools, count);
    // What a call is about may be in view; what results are about is in them.
    let about_view = asked.results.is_empty() && asked.is_visual();
    let head = if about_view {
        Asked { question: String::new(), ..asked.clone() }
    } else {
        Asked { question: String::new(), picture: None, ..asked.clone() }
    };
    let question = things::tame(&asked.question, prompt_build::QUESTION_CHARS);
    let budget = budget.saturating_sub(count(&question));
    let mut prompt = prompt_build::warm(Basis { asked: &head, budget, ..basis });
    if let Some(system) = prompt.messages.first_mut() {
        system.content.push_str(&signatures);
    }
    if let Some(last) = prompt.messages.last_mut() {
        match about_view {
            true => last.content = format!("{} {question}", last.content),
            false => last.content = question,
        }
        if let Some(why) = &offer.wrong {
            last.content.push_str(&format!(
                "\nYour last call was wrong: {}. Write the whole call again.",
                things::tame(why, 200)
            ));
        }
    }
    add_results(&mut prompt, &asked.results);
    if let Some(forced) = &offer.force {
        prompt.answer_prefix = match forced.as_str() {
            // It ends where a token of the model's ends: a space and what follows it are one.
            "" => format!("{CALL_OPEN}\n{{\"name\":"),
            name => format!("{CALL_OPEN}\n{{\"name\": \"{name}\", \"arguments\":"),
        };
    }
    ground.prefix.clone_from(&prompt.answer_prefix);
    Built { prompt, ground }
}

/// What the functions gave stands behind the question, as a fact that decides it does. As turns of the template, a call and its
/// `<tool_response>`, a model of half a billion parameters writes the call once more instead of an answer.
fn add_results(prompt: &mut Prompt, results: &[ToolResult]) {
    let Some(last) = prompt.messages.last_mut() else { return };
    // The newest, each with its share of the room: a client may bring calls of its own, of any number and length.
    let results = &results[results.len().saturating_sub(MOST_CALLS)..];
    for r in results {
        let share = RESULT_CHARS / results.len();
        let output = things::tame(&r.output, share);
        let arguments: String = plain(&r.arguments).chars().take(share).collect();
        let output = if output.is_empty() { "done".to_owned() } else { output };
        last.content.push_str(&format!("\n{} was called with {arguments} and gave: {output}", plain(&r.name)));
    }
    if !results.is_empty() {
        last.content.push_str("\nAnswer in a sentence from what it gave.");
    }
}

/// The template's words around the signatures, each as short as the room asks for.
fn signatures(tools: &[Tool], count: &dyn Fn(&str) -> usize) -> String {
    if tools.is_empty() {
        return String::new();
    }
    let frame = |lines: &str| {
        format!(
            "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n\
             You are provided with function signatures within <tools></tools> XML tags:\n<tools>{lines}\n</tools>\n\n\
             For each function call, return a json object with function name and arguments within {CALL_OPEN}{CALL_CLOSE} XML tags:\n\
             {CALL_OPEN}\n{{\"name\": <function-name>, \"arguments\": <args-json-object>}}\n{CALL_CLOSE}"
        )
    };
    for detail in [Detail::All, Detail::NoWords, Detail::Keys] {
        let lines: String = tools.iter().map(|t| format!("\n{}", signature(t, detail))).collect();
        let text = frame(&lines);
        if count(&text) <= TOOLS_TOKENS {
            return text;
        }
    }
    // Best first, so what does not fit is what fits the question least.
    let mut lines = String::new();
    for tool in tools {
        let line = format!("\n{}", signature(tool, Detail::Keys));
        if !lines.is_empty() && count(&frame(&(lines.clone() + &line))) > TOOLS_TOKENS {
            break;
        }
        lines.push_str(&line);
    }
    frame(&lines)
}

/// How much of a tool the model is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// As the client gave it.
    All,
    /// Without the descriptions of arguments.
    NoWords,
    /// Names and types of arguments.
    Keys,
}

/// Characters of a tool's description that the model is shown.
const DESCRIPTION_CHARS: usize = 240;

fn signature(tool: &Tool, detail: Detail) -> String {
    let parameters = match (&tool.parameters, detail) {
        (None, _) => serde_json::json!({"type": "object", "properties": {}}),
        (Some(p), Detail::All) => p.clone(),
        (Some(p), Detail::NoWords) => without_words(p, 8),
        (Some(p), Detail::Keys) => keys(p),
    };
    let most = if detail == Detail::All { DESCRIPTION_CHARS * 4 } else { DESCRIPTION_CHARS };
    let description: String = tool.description.as_deref().unwrap_or_default().chars().take(most).collect();
    let text = |s: &str| Value::from(s).to_string();
    plain(&format!(
        "{{\"type\": \"function\", \"function\": {{\"name\": {}, \"description\": {}, \"parameters\": {}}}}}",
        text(&tool.name),
        text(&description),
        spaced(&parameters)
    ))
}

fn without_words(v: &Value, depth: usize) -> Value {
    match v {
        Value::Object(map) if depth > 0 => {
            let keep =
                |key: &&String| !matches!(key.as_str(), "description" | "title" | "examples" | "default" | "$schema");
            // A property may be called `description`: only texts of that name are words.
            let entries = map.iter().filter(|(k, v)| keep(k) || v.is_object());
            Value::Object(entries.map(|(k, v)| (k.clone(), without_words(v, depth - 1))).collect())
        }
        Value::Array(list) if depth > 0 => Value::Array(list.iter().map(|v| without_words(v, depth - 1)).collect()),
        other => other.clone(),
    }
}

fn keys(schema: &Value) -> Value {
    let kind = |v: &Value| v.get("enum").or_else(|| v.get("type")).cloned().unwrap_or(Value::Null);
    let properties = schema.get("properties").and_then(Value::as_object);
    Value::Object(properties.into_iter().flatten().take(16).map(|(k, v)| (k.clone(), kind(v))).collect())
}

/// JSON as Python's `json.dumps` writes it, which is what the model was trained on: with a space after `:` and `,`.
fn spaced(v: &Value) -> String {
    match v {
        Value::Object(map) => {
            let inner: Vec<String> =
                map.iter().map(|(k, v)| format!("{}: {}", Value::from(k.as_str()), spaced(v))).collect();
            format!("{{{}}}", inner.join(", "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(i: usize, words: usize) -> Tool {
        let parameters = json!({"type": "object", "required": ["city"], "properties": {
            "city": {"type": "string", "description": "word ".repeat(words)}, "unit": {"enum": ["c", "f"]}}});
        Tool {
            kind: "function",
            name: format!("tool_{i}"),
            description: Some("Does it.".into()),
            parameters: Some(parameters),
        }
    }

    #[test]
    fn signatures_keep_to_their_room_by_getting_shorter_and_then_fewer() {
        let count = |t: &str| t.len().div_ceil(4);
        let few = signatures(&[tool(1, 3)], &count);
        assert!(
            few.contains(r#"{"type": "function", "function": {"name": "tool_1", "description": "Does it.""#),
            "{few}"
        );
        assert!(few.contains("word word"));
        let wordy = signatures(&[tool(1, 300), tool(2, 300)], &count);
        assert!(!wordy.contains("word word") && wordy.contains("tool_2") && wordy.contains("required"), "{wordy}");
        let many: Vec<Tool> = (0..60).map(|i| tool(i, 50)).collect();
        let many = signatures(&many, &count);
        assert!(count(&many) <= TOOLS_TOKENS && many.contains("tool_0") && !many.contains("tool_59"), "{many}");
        assert_eq!(signatures(&[], &count), "");
    }
}
