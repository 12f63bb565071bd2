//! YAML text to a tree with a place at every key and value.
//!
//! Scalars keep their text as written, so that `NO`, `1:30` or `010` mean what their key says and not
//! what a YAML version guesses. Bounded in nesting and in nodes, aliases counted as often as they are
//! used.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Tag};

use crate::problem::Problem;
use crate::source::{Span, offset};

mod syntax;

/// Nested collections, aliases resolved.
const DEPTH: usize = 64;
/// Nodes of one document, aliases resolved.
const NODES: usize = 8_000_000;
/// Nodes that aliases may add.
const ALIASED_NODES: usize = 1_000_000;

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// `plain`: written without quotes.
    Scalar {
        text: Box<str>,
        plain: bool,
    },
    List(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key with its value. Equal keys are one text: a file of many objects has few different ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Arc<str>,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    /// Written as nothing at all, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of a scalar that is not null.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// The entries of a mapping; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The value of a key that is there and not null.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|e| &e.value).filter(|v| !v.is_null())
    }

    /// A key with its value, null or not.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|e| &*e.key == key)
    }
}

/// Reads one document.
///
/// # Errors
/// The first error of syntax, alone. Duplicate keys and tags are added to `problems` and reading goes on.
pub(crate) fn parse(source: u32, text: &str, problems: &mut Vec<Problem>) -> Result<Node, Problem> {
    let mut builder = Builder {
        problems,
        open: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        keys: HashSet::new(),
        nodes: 0,
        aliased: 0,
    };
    let options = granit_parser::options! { block_nesting_limit: DEPTH, flow_nesting_limit: DEPTH };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|e| syntax::problem(source, text, &e))?;
        let at = span.byte_range().map_or(0..0, |r| r);
        let span = Span {
            source,
            start: offset(at.start),
            end: offset(at.end),
        };
        builder.event(event, span)?;
    }
    let empty = Span {
        source,
        start: 0,
        end: 0,
    };
    Ok(builder.root.unwrap_or_else(|| Node {
        span: empty,
        value: Value::Scalar {
            text: Box::default(),
            plain: true,
        },
    }))
}

struct Builder<'p> {
    problems: &'p mut Vec<Problem>,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchored>,
    /// All that were met.
    keys: HashSet<Arc<str>>,
    nodes: usize,
    aliased: usize,
}

/// A collection whose end was not seen yet.
struct Open {
    span: Span,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Mapping {
        entries: Vec<Entry>,
        /// Positions by key, once there are too many to look through.
        seen: HashMap<Arc<str>, usize>,
        key: Option<(Arc<str>, Span)>,
    },
}

struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => Err(Problem::error(
                "several-documents",
                span,
                "a file holds one document, here a second one begins",
            )
            .help("put it into a file of its own and load the directory")),
            Event::Scalar(text, style, anchor, tag) => {
                let string = self.tag(tag.as_deref(), span);
                let plain = matches!(style, ScalarStyle::Plain) && !string;
                let value = Value::Scalar {
                    text: text.into(),
                    plain,
                };
                self.complete(Node { span, value }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), span);
                self.start(span, anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), span);
                let content = Content::Mapping {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: None,
                };
                self.start(span, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(id) => self.alias(id, span),
            _ => Ok(()),
        }
    }

    /// Whether a tag makes a scalar a text.
    fn tag(&mut self, tag: Option<&Tag>, span: Span) -> bool {
        let Some(tag) = tag else { return false };
        match tag.core_suffix() {
            Some("str") => return true,
            Some("int" | "float" | "bool" | "null" | "seq" | "map") => {}
            _ => self.problems.push(Problem::error(
                "unknown-tag",
                span,
                format!("the tag `{}` has no meaning here", tag.original()),
            )),
        }
        false
    }

    fn start(&mut self, span: Span, anchor: usize, content: Content) -> Result<(), Problem> {
        if self.open.len() >= DEPTH {
            return Err(too_deep(span));
        }
        if let Some(Open {
            content: Content::Mapping { key: None, .. },
            ..
        }) = self.open.last()
        {
            return Err(Problem::error(
                "key-form",
                span,
                "a key must be a text, not a collection",
            ));
        }
        self.open.push(Open {
            span,
            anchor,
            content,
        });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Problem> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let (value, last) = match open.content {
            Content::List(mut items) => {
                items.shrink_to_fit();
                let last = items.last().map(|n| n.span.end);
                (Value::List(items), last)
            }
            Content::Mapping { mut entries, .. } => {
                entries.shrink_to_fit();
                let last = entries.last().map(|e| e.value.span.end);
                (Value::Mapping(entries), last)
            }
        };
        // The end of a block collection has no text of its own.
        let end = if span.end > span.start {
            span.end
        } else {
            last.unwrap_or(span.end)
        };
        let span = Span {
            end: end.max(open.span.start),
            ..open.span
        };
        self.complete(Node { span, value }, open.anchor)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Problem> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(Problem::error(
                "syntax",
                span,
                "an alias stands inside its own anchor",
            ));
        };
        if self.open.len() + anchored.depth > DEPTH {
            return Err(too_deep(span));
        }
        self.aliased += anchored.nodes;
        self.nodes += anchored.nodes;
        if self.aliased > ALIASED_NODES {
            return Err(Problem::error(
                "document-too-large",
                span,
                format!("aliases add more than {ALIASED_NODES} values to this document"),
            ));
        }
        let node = anchored.node.clone();
        self.complete(node, 0)
    }

    /// A whole value: an item, a key, the value of a key, or the root.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > NODES {
            return Err(Problem::error(
                "document-too-large",
                node.span,
                format!("a document may hold {NODES} values"),
            ));
        }
        if anchor != 0 {
            let (nodes, depth) = measure(&node);
            self.nodes += nodes;
            self.anchors.insert(
                anchor,
                Anchored {
                    node: node.clone(),
                    nodes,
                    depth,
                },
            );
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Mapping { entries, seen, key }) => match key.take() {
                None => match node.value {
                    Value::Scalar { text, .. } => {
                        let known = self.keys.get(&*text).map(Arc::clone);
                        let text = known.unwrap_or_else(|| {
                            let text = Arc::from(text);
                            self.keys.insert(Arc::clone(&text));
                            text
                        });
                        *key = Some((text, node.span));
                    }
                    _ => {
                        let message = "a key must be a text, not a collection";
                        return Err(Problem::error("key-form", node.span, message));
                    }
                },
                Some((text, key_span)) => {
                    if let Some(first) = position(entries, seen, &text) {
                        let message = format!("`{text}` is written twice");
                        self.problems.push(
                            Problem::error("duplicate-key", key_span, message)
                                .related(entries[first].key_span, "first written at"),
                        );
                    } else {
                        entries.push(Entry {
                            key: text,
                            key_span,
                            value: node,
                        });
                    }
                }
            },
        }
        Ok(())
    }
}

/// Where a key stands already.
fn position(entries: &[Entry], seen: &mut HashMap<Arc<str>, usize>, key: &str) -> Option<usize> {
    const FEW: usize = 16;
    if entries.len() <= FEW {
        return entries.iter().position(|e| &*e.key == key);
    }
    for (i, entry) in entries.iter().enumerate().skip(seen.len()) {
        seen.insert(entry.key.clone(), i);
    }
    seen.get(key).copied()
}

fn too_deep(span: Span) -> Problem {
    Problem::error(
        "document-too-deep",
        span,
        format!("values are nested deeper than {DEPTH}"),
    )
}

/// Values in a tree, and how deep its collections nest.
fn measure(node: &Node) -> (usize, usize) {
    let add = |(nodes, depth): (usize, usize), child: &Node| {
        let (n, d) = measure(child);
        (nodes + n, depth.max(d + 1))
    };
    match &node.value {
        Value::Scalar { .. } => (1, 0),
        Value::List(items) => items.iter().fold((1, 1), add),
        Value::Mapping(entries) => entries.iter().map(|e| &e.value).fold((1, 1), add),
    }
}
