//! Calls of functions in what the model writes, as it comes.
//!
//! Source: the tool format of Qwen2.5's chat template, `<tool_call>\n{"name": …, "arguments": {…}}\n</tool_call>`. Differs from it in: small models forget
//! the marks, so an answer that begins with such an object, in a code fence or bare, is a call as well; braces decide where a call ends, not its mark.

use serde_json::{Map, Value};

/// What opens a call; the first is the model's own mark, the others are what small models write for it.
pub(crate) const OPENS: [&str; 3] = ["<tool_call>", "<tools>", "<function_call>"];
/// What may stand behind a call.
const CLOSES: [&str; 4] = ["</tool_call>", "</tools>", "</function_call>", "```"];
/// Bytes of one call; a longer one is given up.
pub(crate) const MAX_CALL_BYTES: usize = 8 * 1024;
/// Bytes of the line that opens a code fence.
const FENCE: usize = 24;

/// What the model wrote.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    /// Words of an answer.
    Text(String),
    /// A whole call.
    Call(RawCall),
    /// A call that cannot be read, and why.
    Broken(String),
    /// What follows the calls is none: nothing more is to be expected.
    Over,
}

/// A call as it was written: neither its name nor its arguments were checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawCall {
    pub(crate) name: String,
    pub(crate) arguments: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing but space so far: words or a call.
    Start,
    /// Words; a mark may still come.
    Words,
    /// In a call. Without its mark it may turn out to be words.
    Call { marked: bool },
    /// Behind a call.
    Behind,
    /// Nothing is taken any more.
    Ended,
}

/// Reads one answer. Holds back what may become a mark, and a call until it is whole.
#[derive(Debug, Clone)]
pub(crate) struct CallParser {
    state: State,
    held: String,
    scan: Scan,
}

impl CallParser {
    pub(crate) fn new() -> Self {
        Self { state: State::Start, held: String::new(), scan: Scan::default() }
    }

    /// Whether it stands in the middle of a call.
    pub(crate) fn in_call(&self) -> bool {
        matches!(self.state, State::Call { .. })
    }

    /// Takes in more of the answer.
    pub(crate) fn push(&mut self, text: &str) -> Vec<Piece> {
        let mut out = Vec::new();
        if self.state != State::Ended {
            self.held.push_str(text);
            while self.step(&mut out) {}
        }
        out
    }

    /// The end of the answer: what was held back.
    pub(crate) fn finish(&mut self) -> Vec<Piece> {
        let held = std::mem::take(&mut self.held);
        let state = std::mem::replace(&mut self.state, State::Ended);
        match state {
            State::Call { marked: true } => vec![Piece::Broken("it ends in the middle".to_owned())],
            State::Start | State::Words | State::Call { marked: false } if !held.trim().is_empty() => {
                vec![Piece::Text(held)]
            }
            _ => Vec::new(),
        }
    }

    /// One step; true when another may follow.
    fn step(&mut self, out: &mut Vec<Piece>) -> bool {
        match self.state {
            State::Start => self.start(),
            State::Words => self.words(out),
            State::Call { marked } => self.call(marked, out),
            State::Behind => self.behind(out),
            State::Ended => false,
        }
    }

    fn start(&mut self) -> bool {
        let text = self.held.trim_start();
        if text.is_empty() {
            return false;
        }
        if let Some(rest) = OPENS.iter().find_map(|m| text.strip_prefix(m)) {
            self.held = rest.to_owned();
            return self.enter(true);
        }
        if let Some(line) = text.strip_prefix("```") {
            return match line.split_once('\n') {
                Some((language, _)) if language.len() > FENCE => self.go(State::Words),
                Some((_, rest)) if rest.trim_start().starts_with('{') => self.enter(false),
                Some((_, rest)) if !rest.trim_start().is_empty() => self.go(State::Words),
                None if line.len() > FENCE => self.go(State::Words),
                _ => false,
            };
        }
        if text.starts_with('{') {
            return self.enter(false);
        }
        let may_open = OPENS.iter().any(|m| m.starts_with(text)) || "```".starts_with(text);
        !may_open && self.go(State::Words)
    }

    fn words(&mut self, out: &mut Vec<Piece>) -> bool {
        if let Some((at, mark)) = OPENS.iter().filter_map(|m| Some((self.held.find(m)?, m.len()))).min() {
            let rest = self.held.split_off(at + mark);
            self.held.truncate(at);
            give(&mut self.held, out);
            self.held = rest;
            return self.enter(true);
        }
        let keep = OPENS.iter().map(|m| overlap(&self.held, m)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        give(&mut self.held, out);
        self.held = rest;
        false
    }

    fn call(&mut self, marked: bool, out: &mut Vec<Piece>) -> bool {
        let end = match self.scan.whole(&self.held) {
            Scanned::Whole(from, to) => Ok((from, to)),
            Scanned::Open if self.held.len() > MAX_CALL_BYTES => {
                Err(format!("it is longer than {MAX_CALL_BYTES} bytes"))
            }
            Scanned::Open => return false,
            Scanned::NoObject => Err("it is no JSON object".to_owned()),
        };
        let read = end.and_then(|(from, to)| Ok((read_call(&self.held[from..to])?, to)));
        match read {
            Ok((call, to)) => {
                self.held.drain(..to);
                out.push(Piece::Call(call));
                self.go(State::Behind)
            }
            Err(_) if !marked => self.go(State::Words),
            Err(why) => {
                out.push(Piece::Broken(why));
                self.held.clear();
                self.go(State::Ended)
            }
        }
    }

    fn behind(&mut self, out: &mut Vec<Piece>) -> bool {
        let text = self.held.trim_start();
        if let Some(rest) = CLOSES.iter().find_map(|m| text.strip_prefix(m)) {
            self.held = rest.to_owned();
            return true;
        }
        if let Some(rest) = OPENS.iter().find_map(|m| text.strip_prefix(m)) {
            self.held = rest.to_owned();
            return self.enter(true);
        }
        if text.is_empty() || OPENS.iter().chain(&CLOSES).any(|m| m.starts_with(text)) {
            return false;
        }
        self.held.clear();
        out.push(Piece::Over);
        self.go(State::Ended)
    }

    fn enter(&mut self, marked: bool) -> bool {
        self.scan = Scan::default();
        self.go(State::Call { marked })
    }

    fn go(&mut self, state: State) -> bool {
        self.state = state;
        true
    }
}

fn give(text: &mut String, out: &mut Vec<Piece>) {
    if !text.is_empty() {
        out.push(Piece::Text(std::mem::take(text)));
    }
}

/// Length of the longest end of `text` that `mark` begins with. Marks are ASCII, so it is a boundary of characters.
fn overlap(text: &str, mark: &str) -> usize {
    (1..mark.len().min(text.len() + 1)).rev().find(|&n| text.as_bytes().ends_with(&mark.as_bytes()[..n])).unwrap_or(0)
}

/// Finds the end of an object, looking at each byte once however it comes.
#[derive(Debug, Clone, Default)]
struct Scan {
    at: usize,
    from: Option<usize>,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

enum Scanned {
    /// From where to where.
    Whole(usize, usize),
    /// More must come.
    Open,
    /// Something else stands there.
    NoObject,
}

impl Scan {
    fn whole(&mut self, text: &str) -> Scanned {
        let bytes = text.as_bytes();
        while let Some(&b) = bytes.get(self.at) {
            self.at += 1;
            if self.in_string {
                match b {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match b {
                b'{' => {
                    self.from.get_or_insert(self.at - 1);
                    self.depth += 1;
                }
                b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    if let (0, Some(from)) = (self.depth, self.from) {
                        return Scanned::Whole(from, self.at);
                    }
                }
                b'"' if self.from.is_some() => self.in_string = true,
                // A code fence may stand between the mark and the object.
                _ if self.from.is_none() && self.at > FENCE => return Scanned::NoObject,
                b'<' if self.from.is_none() => return Scanned::NoObject,
                _ => {}
            }
        }
        Scanned::Open
    }
}

fn read_call(text: &str) -> Result<RawCall, String> {
    let value: Value = serde_json::from_str(text).map_err(|_| "it is not valid JSON".to_owned())?;
    let Value::Object(mut call) = value else { return Err("it is no JSON object".to_owned()) };
    let name = match call.remove("name").or_else(|| call.remove("function")) {
        Some(Value::String(name)) if !name.is_empty() => name,
        _ => return Err("it names no function".to_owned()),
    };
    let arguments = match call.remove("arguments").or_else(|| call.remove("parameters")) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(map)) => map,
        Some(Value::String(s)) => {
            serde_json::from_str(&s).map_err(|_| "its arguments are no JSON object".to_owned())?
        }
        Some(_) => return Err("its arguments are no JSON object".to_owned()),
    };
    Ok(RawCall { name, arguments })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str, cut: usize) -> Vec<Piece> {
        let mut parser = CallParser::new();
        let chars: Vec<char> = text.chars().collect();
        let mut out: Vec<Piece> =
            chars.chunks(cut.max(1)).flat_map(|c| parser.push(&c.iter().collect::<String>())).collect();
        out.extend(parser.finish());
        let mut joined: Vec<Piece> = Vec::new();
        for piece in out {
            match (joined.last_mut(), piece) {
                (Some(Piece::Text(a)), Piece::Text(b)) => a.push_str(&b),
                (_, piece) => joined.push(piece),
            }
        }
        joined
    }

    fn call(name: &str, arguments: Value) -> Piece {
        let Value::Object(arguments) = arguments else { panic!("an object") };
        Piece::Call(RawCall { name: name.to_owned(), arguments })
    }

    fn text(t: &str) -> Piece {
        Piece::Text(t.to_owned())
    }

    #[test]
    fn calls_are_found_however_they_are_cut_and_dressed() {
        let paris = || call("get_weather", json!({"city": "Paris"}));
        let object = r#"{"name": "get_weather", "arguments": {"city": "Paris"}}"#;
        for (written, found) in [
            (format!("<tool_call>\n{object}\n</tool_call>"), vec![paris()]),
            (format!("\n{object}"), vec![paris()]),
            (format!("```json\n{object}\n```"), vec![paris()]),
            (format!("<tool_call>```json\n{object}\n```</tool_call>"), vec![paris()]),
            (format!("Let me look. <tool_call>{object}</tool_call>"), vec![text("Let me look. "), paris()]),
            (format!("<tool_call>{object}</tool_call>\n<tool_call>{object}"), vec![paris(), paris()]),
            (format!("{object}\nIt is sunny."), vec![paris(), Piece::Over]),
            ("It is sunny.".to_owned(), vec![text("It is sunny.")]),
            ("{x} is a set.".to_owned(), vec![text("{x} is a set.")]),
            ("1 < 2 and <b>".to_owned(), vec![text("1 < 2 and <b>")]),
            ("```\nlet x = 1;\n```".to_owned(), vec![text("```\nlet x = 1;\n```")]),
            (r#"{"name": "f", "arguments": "{\"a\": \"}\"}"}"#.to_owned(), vec![call("f", json!({"a": "}"}))]),
            ("<tool_call>{\"name\": 1}".to_owned(), vec![Piece::Broken("it names no function".into())]),
            ("<tool_call>{\"name\": \"f\", \"arg".to_owned(), vec![Piece::Broken("it ends in the middle".into())]),
            ("<tool_call></tool_call>".to_owned(), vec![Piece::Broken("it is no JSON object".into())]),
        ] {
            for cut in [1, 2, 3, 7, 1_000] {
                assert_eq!(read(&written, cut), found, "{written:?} in pieces of {cut}");
            }
        }
    }

    #[test]
    fn a_call_without_an_end_is_given_up() {
        let mut parser = CallParser::new();
        let mut pieces = parser.push("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"");
        for _ in 0..1_000 {
            pieces.extend(parser.push("0123456789"));
        }
        assert!(matches!(pieces.as_slice(), [Piece::Broken(why)] if why.contains("longer")), "{pieces:?}");
        assert!(parser.held.is_empty());
    }

    proptest! {
        /// Nothing panics, nothing is lost of plain words, and how the text is cut makes no difference.
        #[test]
        fn how_text_is_cut_makes_no_difference(
            parts in prop::collection::vec(prop::sample::select(vec![
                "<tool_call>", "</tool_call>", "{", "}", "\"", "\\", "\"name\"", ":", " ", "\n", "f", "```", "json", "é", "<", "\"arguments\"", ","]), 0..24),
            cut in 1_usize..6,
        ) {
            let written: String = parts.concat();
            let whole = read(&written, 10_000);
            prop_assert_eq!(read(&written, cut), whole.clone());
            if !written.contains('<') && !written.contains('{') && !written.trim().is_empty() && !written.contains("```") {
                let words: String = whole.iter().map(|p| if let Piece::Text(t) = p { t.as_str() } else { "" }).collect();
                prop_assert_eq!(words, written);
            }
        }
    }
}
