//! Graph text: where it comes from, its small grammar, and the pipeline built from it.
//!
//! The grammar (`pipelines/README.md`) is a subset of `gst-launch` that we read ourselves first: so the allow-list is checked
//! before GStreamer instantiates anything.

use std::fs;

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::base::Codec;

use super::elements::allowed;
use super::{DecodeConfig, DecodeError};

/// The longest graph file we read, in bytes.
const MAX_GRAPH_BYTES: u64 = 16 * 1024;

/// A graph by name: one per codec, and the one for files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GraphName {
    /// Access units of one codec.
    Codec(Codec),
    /// A recorded file.
    File,
    /// The server's own voice, the other way.
    Voice,
}

impl GraphName {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Codec(c) => c.name(),
            Self::File => "file",
            Self::Voice => "voice",
        }
    }

    /// The folder under `pipelines_dir`.
    const fn folder(self) -> &'static str {
        match self {
            Self::Voice => "encode",
            Self::Codec(_) | Self::File => "decode",
        }
    }

    const fn embedded(self) -> &'static str {
        match self {
            Self::Codec(Codec::Vp8) => include_str!("../../pipelines/decode/vp8.gst"),
            Self::Codec(Codec::Vp9) => include_str!("../../pipelines/decode/vp9.gst"),
            Self::Codec(Codec::H264) => include_str!("../../pipelines/decode/h264.gst"),
            Self::Codec(Codec::Av1) => include_str!("../../pipelines/decode/av1.gst"),
            Self::Codec(Codec::Opus) => include_str!("../../pipelines/decode/opus.gst"),
            Self::File => include_str!("../../pipelines/decode/file.gst"),
            Self::Voice => include_str!("../../pipelines/encode/voice.gst"),
        }
    }

    /// Names that the Rust side looks up, with the element each must be.
    const fn handles(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Codec(_) | Self::Voice => &[("src", "appsrc"), ("sink", "appsink")],
            Self::File => &[("file", "filesrc"), ("decode", "decodebin"), ("video", "appsink"), ("audio", "appsink")],
        }
    }
}

/// A graph that was read, checked against the allow-list and can be built any number of times.
#[derive(Debug, Clone)]
pub(super) struct Graph {
    pub(super) name: GraphName,
    text: String,
}

impl Graph {
    /// Reads the graph (from `cfg.pipelines_dir` if set, else the embedded one) and checks it, without building anything.
    pub(super) fn load(name: GraphName, cfg: &DecodeConfig) -> Result<Self, DecodeError> {
        let text = match &cfg.pipelines_dir {
            None => name.embedded().to_owned(),
            Some(dir) => {
                let path = dir.join(name.folder()).join(format!("{}.gst", name.as_str()));
                let unreadable = |why: String| DecodeError::GraphUnreadable {
                    graph: name.as_str().to_owned(),
                    path: path.clone(),
                    why,
                };
                let size = fs::metadata(&path).map_err(|e| unreadable(e.to_string()))?.len();
                if size > MAX_GRAPH_BYTES {
                    return Err(unreadable(format!("{size} bytes, {MAX_GRAPH_BYTES} allowed")));
                }
                fs::read_to_string(&path).map_err(|e| unreadable(e.to_string()))?
            }
        };
        let bad = |why: String| DecodeError::BadGraph { graph: name.as_str().to_owned(), why };
        let text = fill(&strip_comments(&text), cfg).map_err(bad)?;
        let graph = Self { name, text };
        for element in element_names(&graph.text).map_err(bad)? {
            graph.check_element(&element)?;
        }
        Ok(graph)
    }

    fn check_element(&self, element: &str) -> Result<(), DecodeError> {
        let graph = self.name.as_str().to_owned();
        let Some(row) = allowed(element) else {
            return Err(DecodeError::ElementRefused { graph, element: element.to_owned() });
        };
        if element == "filesrc" && self.name != GraphName::File {
            return Err(DecodeError::ElementRefused { graph, element: element.to_owned() });
        }
        if gst::ElementFactory::find(element).is_none() {
            return Err(DecodeError::ElementMissing {
                graph,
                element: element.to_owned(),
                plugin: row.plugin.to_owned(),
                package: row.package.to_owned(),
            });
        }
        Ok(())
    }

    /// Builds the pipeline, in state Null.
    pub(super) fn build(&self) -> Result<gst::Pipeline, DecodeError> {
        let bad = |why: String| DecodeError::BadGraph { graph: self.name.as_str().to_owned(), why };
        let top = gst::parse::launch_full(&self.text, None, gst::ParseFlags::FATAL_ERRORS)
            .map_err(|e| bad(e.message().to_owned()))?;
        let pipeline =
            top.downcast::<gst::Pipeline>().map_err(|_| bad("it holds less than two elements".to_owned()))?;
        // A second look, at what GStreamer understood: a token that we misread must not slip past the allow-list.
        for element in pipeline.iterate_elements() {
            let element = element.map_err(|e| bad(e.to_string()))?;
            let factory = element.factory().map(|f| f.name().to_string()).unwrap_or_default();
            self.check_element(&factory)?;
        }
        for (handle, factory) in self.name.handles() {
            let found = pipeline.by_name(handle).and_then(|e| e.factory()).map(|f| f.name());
            if found.as_deref() != Some(*factory) {
                return Err(bad(format!("it needs an element `{factory} name={handle}`")));
            }
        }
        Ok(pipeline)
    }
}

/// Cuts `# …` up to the end of each line, outside of quotes and only where a word begins.
fn strip_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let (mut quoted, mut previous) = (false, ' ');
        for c in line.chars() {
            if c == '#' && !quoted && previous.is_whitespace() {
                break;
            }
            quoted ^= c == '"';
            previous = c;
            out.push(c);
        }
        out.push('\n');
    }
    out
}

/// Puts numbers for `$max_side`, `$long` and `$short`.
fn fill(text: &str, cfg: &DecodeConfig) -> Result<String, String> {
    let filled = text
        .replace("$max_side", &cfg.max_side.to_string())
        .replace("$long", &cfg.max_input.0.to_string())
        .replace("$short", &cfg.max_input.1.to_string());
    match filled.split('$').nth(1) {
        None => Ok(filled),
        Some(rest) => {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            Err(format!("unknown variable `${name}`; known are $max_side, $long and $short"))
        }
    }
}

/// Element names in the order of the text.
fn element_names(text: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for word in words(text)? {
        let slash = word.find(['/', '"']);
        let equals = word.find('=');
        let caps = matches!((slash, equals), (Some(s), e) if e.is_none_or(|e| s < e));
        if word == "!" || equals.is_some() || caps {
            continue;
        }
        if !word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            return Err(format!("`{word}` is neither an element, nor `name=value`, nor caps"));
        }
        names.push(word);
    }
    if names.is_empty() { Err("it is empty".to_owned()) } else { Ok(names) }
}

/// Splits at white space outside of quotes.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut all, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        quoted ^= c == '"';
        if c.is_whitespace() && !quoted {
            if !word.is_empty() {
                all.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
    }
    if quoted {
        return Err("a quotation mark is not closed".to_owned());
    }
    if !word.is_empty() {
        all.push(word);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::{DecodeConfig, element_names, fill, strip_comments};

    #[test]
    fn element_names_are_found_among_properties_caps_and_comments() {
        let text = strip_comments(
            "# evilsrc ! x\nappsrc name=src caps=video/x-vp8 # udpsrc\n ! vp8dec threads=1 ! \"video/x-raw, width=[1, 2]\" ! video/x-raw,format=RGB ! appsink name=sink",
        );
        assert_eq!(element_names(&text).unwrap(), ["appsrc", "vp8dec", "appsink"]);
    }

    #[test]
    fn bins_references_and_open_quotes_are_refused() {
        for bad in
            ["( filesrc ! fakesink )", "decode. ! queue", "bin.( x )", "appsrc caps=\"video/x-vp8", "", "appsrc ! a,b"]
        {
            assert!(element_names(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn variables_are_filled_and_unknown_ones_named() {
        let cfg = DecodeConfig::default();
        assert_eq!(fill("a=$max_side b=$long c=$short", &cfg).unwrap(), "a=1280 b=1920 c=1080");
        assert!(fill("a=$widht", &cfg).unwrap_err().contains("$widht"));
    }
}
