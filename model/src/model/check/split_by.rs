//! What can be wrong with a sticky split.

use super::Checker;
use super::rate_limits::is_token;
use crate::{App, SplitBy, SplitKey, budget};

impl Checker<'_> {
    pub(super) fn split_by(&mut self, app: &App, by: &SplitBy) {
        let cookie = match &by.key {
            SplitKey::Header(_) => None,
            SplitKey::Cookie(name) => Some(("cookie", name)),
            SplitKey::SetCookie(name, _) => Some(("set_cookie", name)),
            SplitKey::Client { ipv4, ipv6 } => {
                self.under("client", |c| {
                    c.bits("ipv4", *ipv4, 32);
                    c.bits("ipv6", *ipv6, 128);
                });
                None
            }
        };
        if let Some((key, name)) = cookie
            && !is_token(name)
        {
            let message = format!(
                "{name:?} is no name of a cookie: letters, digits and !#$%&'*+-.^_`|~ are allowed, 1 to 128 of them"
            );
            self.under(key, |c| c.refuse("bad-field-name", message, None));
        }
        if app.tcp.is_some() && !matches!(by.key, SplitKey::Client { .. }) {
            self.refuse(
                "split-by-unreadable",
                "an app with `tcp` is split by client only: nothing of its connections is read"
                    .to_owned(),
                Some("write `split_by: client`".to_owned()),
            );
        }
        if let Some(salt) = &by.salt
            && !(1..=budget::SALT_OCTETS).contains(&salt.len())
        {
            let message = format!(
                "a salt of {} octets, must be 1 to {}",
                salt.len(),
                budget::SALT_OCTETS
            );
            self.under("salt", |c| c.refuse("salt-length", message, None));
        }
    }

    fn bits(&mut self, key: &str, bits: u8, most: u8) {
        if !(1..=most).contains(&bits) {
            let message = format!("{key} is {bits}, must be 1 to {most}");
            self.under(key, |c| c.refuse("count-out-of-range", message, None));
        }
    }
}
