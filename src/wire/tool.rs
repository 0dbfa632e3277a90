//! Function tools: what a client offers to be called, and which of it must be.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::error::{WireError, code};
use super::limits::{MAX_OPAQUE_BYTES, MAX_TOOL_NAME, MAX_TOOLS};
use super::read::{Field, Obj};

/// A function of the client's.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Tool {
    /// Always `function`.
    #[schemars(extend("const" = "function"))]
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Letters, digits, `_`, `-` and `.`, 64 at most; unique among the tools.
    pub name: String,
    /// What it is for, for the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of its arguments, an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    pub parameters: Option<Value>,
}

/// Whether tools are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ToolChoice {
    /// In general.
    Mode(ToolMode),
    /// This one is.
    Function(NamedTool),
}

/// Whether any tool is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolMode {
    /// When it helps.
    Auto,
    /// Never.
    None,
    /// One is, whatever was asked.
    Required,
}

/// A tool by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NamedTool {
    /// Always `function`.
    #[schemars(extend("const" = "function"))]
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

impl ToolChoice {
    /// The default.
    pub const AUTO: Self = Self::Mode(ToolMode::Auto);

    /// Checks that the choice can be made among `tools`.
    ///
    /// # Errors
    /// [`WireError`] about `param` when it names a function that is not there.
    pub fn fits(&self, tools: &[Tool], param: &str) -> Result<(), WireError> {
        match self {
            Self::Function(f) if !tools.iter().any(|t| t.name == f.name) => {
                let message = format!("{param} names the function {:?}, which is not among the tools", f.name);
                Err(WireError::field(code::INVALID_VALUE, param, message))
            }
            _ => Ok(()),
        }
    }
}

/// `tools`: absent leaves them, null and the empty array clear.
pub(crate) fn read_tools(o: &mut Obj) -> Result<Option<Vec<Tool>>, WireError> {
    let list = match o.opaque("tools")? {
        Field::Absent => return Ok(None),
        Field::Null => return Ok(Some(Vec::new())),
        Field::Set(Value::Array(list)) if list.len() <= MAX_TOOLS => list,
        Field::Set(Value::Array(_)) => return Err(o.bad("tools", &format!("has more than {MAX_TOOLS} elements"))),
        Field::Set(other) => return Err(o.wrong("tools", "an array", &other)),
    };
    let mut tools: Vec<Tool> = Vec::with_capacity(list.len());
    for (i, v) in list.into_iter().enumerate() {
        let key = format!("tools[{i}]");
        let Value::Object(map) = v else { return Err(o.wrong(&key, "an object", &v)) };
        let tool = read_tool(Obj::under(map, o.at(&key)))?;
        if tools.iter().any(|t| t.name == tool.name) {
            return Err(o.bad(&format!("{key}.name"), &format!("{:?} is the name of another tool too", tool.name)));
        }
        tools.push(tool);
    }
    Ok(Some(tools))
}

fn read_tool(mut o: Obj) -> Result<Tool, WireError> {
    match o.name("type")?.set().as_deref() {
        None | Some("function") => {}
        Some("mcp") => return Err(o.bad("type", "is \"mcp\": this server calls no other servers, offer functions")),
        Some(other) => return Err(o.bad("type", &format!("must be \"function\", got {other:?}"))),
    }
    let name = o.required_name("name")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.len() > MAX_TOOL_NAME || !name.chars().all(fits) {
        let rule = format!("must be 1 to {MAX_TOOL_NAME} letters, digits, `_`, `-` or `.`");
        return Err(o.bad("name", &rule));
    }
    let parameters = match o.take("parameters") {
        Field::Absent | Field::Null => None,
        Field::Set(v @ Value::Object(_)) => Some(v),
        Field::Set(other) => {
            return Err(o.wrong("parameters", &format!("a JSON Schema of at most {MAX_OPAQUE_BYTES} bytes"), &other));
        }
    };
    Ok(Tool { kind: "function", name, description: o.text("description")?.set(), parameters })
}

/// `tool_choice`: null is the default.
pub(crate) fn read_tool_choice(o: &mut Obj) -> Result<Option<ToolChoice>, WireError> {
    let mode = |m| Ok(Some(ToolChoice::Mode(m)));
    match o.take("tool_choice") {
        Field::Absent => Ok(None),
        Field::Null => Ok(Some(ToolChoice::AUTO)),
        Field::Set(Value::String(s)) => match s.as_str() {
            "auto" => mode(ToolMode::Auto),
            "none" => mode(ToolMode::None),
            "required" => mode(ToolMode::Required),
            _ => Err(
                o.bad("tool_choice", "must be \"auto\", \"none\", \"required\" or {\"type\":\"function\",\"name\":…}")
            ),
        },
        Field::Set(Value::Object(map)) => {
            let mut choice = Obj::under(map, o.at("tool_choice"));
            match choice.required_name("type")?.as_str() {
                "function" => {
                    let name = choice.required_name("name")?;
                    Ok(Some(ToolChoice::Function(NamedTool { kind: "function", name })))
                }
                other => Err(choice.bad("type", &format!("must be \"function\", got {other:?}"))),
            }
        }
        Field::Set(other) => Err(o.wrong("tool_choice", "a string or an object", &other)),
    }
}
