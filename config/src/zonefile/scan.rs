//! A master file as entries of tokens (RFC 1035 section 5.1): blanks, quotes, escapes, comments and
//! parentheses. Says where a token stands and nothing about what it means.

use std::fmt;

/// A word or a quoted string: octets `start..end` of its text, quotes left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Written in quotes, so that it may be empty and is never a keyword.
    pub(crate) quoted: bool,
}

impl Token {
    /// Its octets, escapes still in them.
    pub(crate) fn of<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// One entry: what stands between line ends, those in parentheses not counted.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// Kept from entry to entry, to spare the allocation.
    pub(crate) tokens: Vec<Token>,
    /// It begins with a blank: its owner is the one before.
    pub(crate) is_indented: bool,
}

/// Why an entry cannot be told apart, and the octets concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Torn {
    /// A quote that its line does not close.
    Quote(Token),
    /// A parenthesis that is never closed.
    Open(Token),
    /// A parenthesis that was not opened.
    Close(Token),
    /// Octets that stand for nothing, such as NUL.
    Control(Token),
}

impl Torn {
    /// The octets concerned.
    pub(crate) const fn token(self) -> Token {
        let (Self::Quote(token) | Self::Open(token) | Self::Close(token) | Self::Control(token)) =
            self;
        token
    }
}

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quote(_) => "the quotation mark is not closed on its line",
            Self::Open(_) => "the parenthesis is never closed",
            Self::Close(_) => "the parenthesis was not opened",
            Self::Control(_) => "a control character must be written as \\DDD",
        })
    }
}

/// What may stand in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grammar {
    /// Everything.
    File,
    /// The data of one record: neither comments nor parentheses.
    Value,
}

pub(crate) struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    grammar: Grammar,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(text: &'t [u8], grammar: Grammar) -> Self {
        let at = if text.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        Self { text, at, grammar }
    }

    /// A master file from an entry on.
    pub(crate) const fn from(text: &'t [u8], at: usize) -> Self {
        let grammar = Grammar::File;
        Self { text, at, grammar }
    }

    /// Where the scan is: behind an entry, or at the beginning.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The next entry that has tokens; false at the end. After an error the scan goes on behind the
    /// line on which it was seen.
    pub(crate) fn next(&mut self, entry: &mut Entry) -> Result<bool, Torn> {
        loop {
            entry.tokens.clear();
            entry.is_indented = matches!(self.text.get(self.at), Some(b' ' | b'\t'));
            let torn = self.scan(entry);
            if let Err(torn) = torn {
                self.skip_line();
                return Err(torn);
            }
            if !entry.tokens.is_empty() {
                return Ok(true);
            }
            if self.at >= self.text.len() {
                return Ok(false);
            }
        }
    }

    fn scan(&mut self, entry: &mut Entry) -> Result<(), Torn> {
        let mut open: Vec<Token> = Vec::new();
        while let Some(&octet) = self.text.get(self.at) {
            let here = self.token(self.at, self.at + 1);
            match octet {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    if open.is_empty() {
                        return Ok(());
                    }
                }
                b';' if self.grammar == Grammar::File => self.skip_comment(),
                b'(' if self.grammar == Grammar::File => {
                    self.at += 1;
                    open.push(here);
                }
                b')' if self.grammar == Grammar::File => {
                    self.at += 1;
                    open.pop().ok_or(Torn::Close(here))?;
                }
                b'"' => {
                    let token = self.quoted()?;
                    entry.tokens.push(token);
                }
                0..=8 | 11 | 12 | 14..=31 | 127 => return Err(Torn::Control(here)),
                _ => {
                    let token = self.word()?;
                    entry.tokens.push(token);
                }
            }
        }
        open.pop().map_or(Ok(()), |first| Err(Torn::Open(first)))
    }

    /// Up to a blank or a special octet; a quote right behind `=` belongs to the word, as in
    /// `alpn="h2,h3"` (RFC 9460 section 2.1).
    fn word(&mut self) -> Result<Token, Torn> {
        let start = self.at;
        while let Some(&octet) = self.text.get(self.at) {
            match octet {
                b'\\' => self.at += 2,
                b'"' if self.text[self.at - 1] == b'=' && self.at > start => drop(self.quoted()?),
                b'"' | b' ' | b'\t' | b'\r' | b'\n' => break,
                b';' | b'(' | b')' if self.grammar == Grammar::File => break,
                0..=8 | 11 | 12 | 14..=31 | 127 => {
                    return Err(Torn::Control(self.token(self.at, self.at + 1)));
                }
                _ => self.at += 1,
            }
        }
        self.at = self.at.min(self.text.len());
        Ok(self.token(start, self.at))
    }

    fn quoted(&mut self) -> Result<Token, Torn> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    let token = self.token(start + 1, self.at - 1);
                    return Ok(Token {
                        quoted: true,
                        ..token
                    });
                }
                Some(b'\\') if self.text.get(self.at + 1) != Some(&b'\n') => self.at += 2,
                None | Some(b'\n') => return Err(Torn::Quote(self.token(start, start + 1))),
                Some(_) => self.at += 1,
            }
        }
    }

    fn skip_comment(&mut self) {
        while self.text.get(self.at).is_some_and(|&o| o != b'\n') {
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        self.skip_comment();
        self.at = (self.at + 1).min(self.text.len());
    }

    fn token(&self, start: usize, end: usize) -> Token {
        let offset = |at: usize| u32::try_from(at.min(self.text.len())).unwrap_or(u32::MAX);
        Token {
            start: offset(start),
            end: offset(end),
            quoted: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries a line each: `>` for an indented one, tokens in brackets, what is torn by name.
    fn scan(text: &str) -> Vec<String> {
        let mut scanner = Scanner::new(text.as_bytes(), Grammar::File);
        let mut entry = Entry::default();
        let mut said = Vec::new();
        loop {
            match scanner.next(&mut entry) {
                Ok(false) => return said,
                Ok(true) => {
                    let words = entry.tokens.iter().map(|token| {
                        let word = String::from_utf8_lossy(token.of(text.as_bytes()));
                        let mark = if token.quoted { "'" } else { "" };
                        format!("[{mark}{word}]")
                    });
                    let head = if entry.is_indented { ">" } else { "" };
                    said.push(format!("{head}{}", words.collect::<String>()));
                }
                Err(torn) => said.push(format!("{torn:?}").split('(').next().unwrap().to_owned()),
            }
        }
    }

    #[test]
    fn entries_are_lines_and_parentheses_join_lines() {
        assert_eq!(
            scan("a A 1 ; note ( \"\n\n  B ( 2 ; (\n 3\n)\n\tc\r\n"),
            ["[a][A][1]", ">[B][2][3]", ">[c]"]
        );
        assert_eq!(scan("\u{feff}a"), ["[a]"]);
        assert_eq!(scan(""), [""; 0]);
    }

    #[test]
    fn quotes_and_escapes_keep_what_would_end_a_word() {
        assert_eq!(
            scan(r#"x "a b;(" "" y\;z\ a "q\"" alpn="h2, h3" k"v""#),
            [r#"[x]['a b;(]['][y\;z\ a]['q\"][alpn="h2, h3"][k]['v]"#]
        );
    }

    #[test]
    fn what_is_torn_costs_its_line_only() {
        assert_eq!(scan("a \"b\nc"), ["Quote", "[c]"]);
        assert_eq!(scan("a ) b\nc"), ["Close", "[c]"]);
        assert_eq!(scan("a\0b\nc"), ["Control", "[c]"]);
        assert_eq!(scan("a ( b\nc"), ["Open"]);
        assert_eq!(scan("a \\"), ["[a][\\]"]);
    }
}
