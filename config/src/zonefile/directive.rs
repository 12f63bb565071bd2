//! `$ORIGIN`, `$TTL` and `$INCLUDE` (RFC 1035 section 5.1, RFC 2308 section 4).

use windrose_model::DnsName;

use super::{Page, Reader, Token, Unopened};
use crate::problem::Problem;

impl Reader<'_> {
    pub(super) fn directive(&mut self, page: &mut Page<'_>, first: Token, rest: &[Token]) {
        let word = page.show(first).to_ascii_uppercase();
        let (least, most) = match &*word {
            "$ORIGIN" | "$TTL" => (1, 1),
            "$INCLUDE" => (1, 2),
            _ => {
                let message = format!("\"{}\" is no directive", page.show(first));
                let help = match &*word {
                    "$GENERATE" => {
                        "$GENERATE is an extension of BIND; write the records out, named-compilezone does"
                    }
                    _ => "known are $ORIGIN, $TTL and $INCLUDE",
                };
                let problem = Problem::error("unknown-directive", page.span(first), message);
                return self.mistake(problem.help(help));
            }
        };
        if !(least..=most).contains(&rest.len()) {
            let takes = match &*word {
                "$ORIGIN" => "one name",
                "$TTL" => "one time",
                _ => "a file and perhaps an origin",
            };
            let message = format!("{word} takes {takes}");
            let problem = Problem::error("unknown-directive", page.span(first), message);
            return self.mistake(problem);
        }
        match &*word {
            "$ORIGIN" => {
                if let Some(origin) = self.name(page, rest[0]) {
                    page.origin = origin;
                    page.owner = b"";
                }
            }
            "$TTL" => {
                if let Some(ttl) = self.seconds(page, rest[0]) {
                    self.default_ttl = Some(ttl);
                }
            }
            _ => {
                let origin = match rest.get(1) {
                    Some(&token) => self.name(page, token),
                    None => Some(page.origin.clone()),
                };
                if let Some(origin) = origin {
                    self.include(page, rest[0], origin);
                }
            }
        }
    }

    /// The owner and the origin are afterwards what they were before (RFC 1035 section 5.1).
    fn include(&mut self, page: &Page<'_>, path: Token, origin: DnsName) {
        self.marks = None;
        let written = std::str::from_utf8(path.of(page.text));
        let opened = written
            .map_err(|_| Unopened::from("the path is not UTF-8"))
            .and_then(|written| self.includes.open(page.source, written));
        match opened {
            Ok((source, text)) => {
                let owner = self.last_owner.take();
                self.text(source, &text, origin);
                self.includes.close();
                self.last_owner = owner;
            }
            Err(Unopened { reason, code }) => {
                let message = format!("cannot include \"{}\": {reason}", page.show(path));
                let code = code.unwrap_or("bad-include");
                self.mistake(Problem::error(code, page.span(path), message));
            }
        }
    }
}
