//! One match of one route, and whether a request fits it. HOT.

use http::HeaderName;
use windrose_model::{App, Conditions, Match, PathMatch, TextMatch, UserMatch};

use super::rank::{Class, Rank, class, text};
use super::{Asked, RequestHead};

/// A match of a route, by position in the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) route: u16,
    /// [`ANY`] for a route without matches.
    pub(super) at: u16,
    /// One more than the position among the app's sets of clients; 0 for none.
    clients: u16,
    pub(super) class: Class,
    /// Nothing but the path is to be compared.
    plain: bool,
    /// The next candidate has another path.
    pub(super) ends_group: bool,
}

/// In place of a match: every request.
const ANY: u16 = u16::MAX;

/// Why a request does not fit a match: the first condition that does not hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Miss<'a> {
    Path,
    NotGrpc,
    Method,
    Header(&'a HeaderName, &'a TextMatch),
    Parameter(&'a str, &'a TextMatch),
    Cookie(&'a str, &'a TextMatch),
    Clients,
    User(&'a UserMatch),
}

/// All candidates of an app, the strongest first. `set_of` says which set of clients a match names.
pub(super) fn of(app: &App, set_of: &mut impl FnMut(&Match) -> u16) -> Vec<Candidate> {
    let mut list: Vec<(Rank<'_>, Candidate)> = Vec::new();
    for (route, wanted) in (0u16..).zip(&app.routes) {
        if wanted.matches.is_empty() {
            list.push((Rank::of(None), Candidate::new(route, ANY, None, 0)));
        }
        for (at, one) in (0u16..).zip(&wanted.matches) {
            let candidate = Candidate::new(route, at, Some(one), set_of(one));
            list.push((Rank::of(Some(one)), candidate));
        }
    }
    list.sort_by(|(a, x), (b, y)| a.cmp(b).then((x.route, x.at).cmp(&(y.route, y.at))));
    list.into_iter().map(|(_, candidate)| candidate).collect()
}

impl Candidate {
    fn new(route: u16, at: u16, one: Option<&Match>, clients: u16) -> Self {
        let by_path = |one: &Match| {
            let grpc = matches!(one.path, Some(PathMatch::Grpc(_)));
            one.conditions.is_none() && !grpc
        };
        Self {
            route,
            at,
            clients,
            class: class(one),
            plain: one.is_none_or(by_path),
            ends_group: true,
        }
    }

    #[inline]
    pub(super) fn one(self, app: &App) -> Option<&Match> {
        app.routes
            .get(usize::from(self.route))?
            .matches
            .get(usize::from(self.at))
    }

    /// What is looked up of a path.
    #[inline]
    pub(super) fn text(self, app: &App) -> &str {
        text(self.one(app))
    }

    /// Whether a request fits, whose path was looked up already.
    #[inline]
    pub(super) fn fits(self, asked: &Asked<'_>) -> bool {
        self.plain || self.miss(asked).is_none()
    }

    /// What does not fit of a request whose path was looked up already.
    fn miss<'a>(self, asked: &Asked<'a>) -> Option<Miss<'a>> {
        let one = self.one(asked.app)?;
        if let Some(PathMatch::Grpc(grpc)) = &one.path {
            if !grpc.is_match(asked.head.path) {
                return Some(Miss::Path);
            }
            if !asked.head.is_grpc() {
                return Some(Miss::NotGrpc);
            }
        }
        let conditions = one.conditions.as_deref()?;
        let user = || {
            let wanted = conditions.user.as_ref()?;
            let holds = |user: &[u8]| asked.users.holds(&wanted.list, user);
            let found = asked.head.user(&wanted.key);
            (!found.is_some_and(|user| holds(&user))).then_some(Miss::User(wanted))
        };
        miss(conditions, asked.head).or_else(user).or_else(|| {
            let set = asked.sets.get(usize::from(self.clients).checked_sub(1)?)?;
            (!set.contains(asked.place)).then_some(Miss::Clients)
        })
    }

    /// What does not fit of any request.
    pub(super) fn whole_miss<'a>(self, asked: &Asked<'a>) -> Option<Miss<'a>> {
        let path = asked.head.path;
        let one = self.one(asked.app);
        let holds = match one.and_then(|one| one.path.as_ref()) {
            None => true,
            Some(PathMatch::Exact(wanted)) => **wanted == *path,
            Some(PathMatch::Prefix(wanted)) => {
                let rest = path.strip_prefix(wanted.trim_end_matches('/'));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Some(PathMatch::Regex(pattern)) => pattern.is_match(path.as_bytes()),
            Some(PathMatch::Grpc(grpc)) => grpc.is_match(path),
        };
        if holds {
            self.miss(asked)
        } else {
            Some(Miss::Path)
        }
    }
}

fn miss<'a>(conditions: &'a Conditions, head: &RequestHead<'_>) -> Option<Miss<'a>> {
    if let Some(method) = &conditions.method
        && method != head.method
    {
        return Some(Miss::Method);
    }
    for (name, wanted) in &conditions.headers {
        if !head
            .header(name)
            .is_some_and(|value| wanted.is_match(&value))
        {
            return Some(Miss::Header(name, wanted));
        }
    }
    for (name, wanted) in &conditions.query {
        if !head
            .parameter(name)
            .is_some_and(|value| wanted.is_match(&value))
        {
            return Some(Miss::Parameter(name, wanted));
        }
    }
    for (name, wanted) in &conditions.cookies {
        if !head
            .cookie(name)
            .is_some_and(|value| wanted.is_match(value))
        {
            return Some(Miss::Cookie(name, wanted));
        }
    }
    None
}
