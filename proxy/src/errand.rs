//! A request that has found its app, on its way.

use std::net::IpAddr;
use std::time::Instant;

use http::{HeaderValue, Response};
use windrose_model::{AppId, Fallback, Fault, Filters, Hedge, Retry};
use windrose_routing::{AppEntry, RouteId};

use crate::access::Draft;
use crate::course::Course;
use crate::filter::{Kind, Routed};
use crate::grpc;
use crate::quota::Quota;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::worker::TableHandle;

/// Where a request goes, under one Table.
pub(crate) struct Errand {
    pub(crate) table: TableHandle,
    pub(crate) app: AppId,
    /// None where the app has no routes. Apart, so that those who have none carry nothing.
    pub(crate) routed: Option<Box<Routed>>,
    pub(crate) course: Course,
    /// Whose request it is.
    pub(crate) address: IpAddr,
    pub(crate) began: Instant,
    pub(crate) tick: u64,
    /// Protocols that the backend may switch to; `None` for most.
    pub(crate) offer: Option<HeaderValue>,
    /// It is a call of gRPC.
    pub(crate) grpc: bool,
    /// The cluster it was sent to, or was to be sent to, last.
    pub(crate) cluster: Option<u8>,
    /// What its client is told of rate limits; `None` where there are none.
    pub(crate) quota: Option<Quota>,
    /// The cookie by which its client is known again; `None` for most.
    pub(crate) known: Option<Box<HeaderValue>>,
    /// For the access log.
    pub(crate) draft: Option<Box<Draft>>,
}

/// A number that is the app's alone for as long as it exists: the slot of its first cluster.
pub(crate) fn app_slot(app: &AppEntry) -> u32 {
    app.plan
        .clusters
        .first()
        .map_or(u32::MAX, |cluster| cluster.slot)
}

impl Errand {
    pub(crate) fn app(&self) -> &AppEntry {
        self.table.app(self.app)
    }

    /// What the route does, if it does anything.
    pub(crate) fn filters(&self) -> Option<&Filters> {
        let routed = self.routed.as_ref()?;
        self.app().filters(routed.matched.route)
    }

    /// The fault of its route, if that is for this request. `app`: the errand's own.
    #[inline]
    pub(crate) fn fault<'t>(&self, app: &'t AppEntry) -> Option<&'t Fault> {
        let routed = self.routed.as_ref().filter(|routed| routed.faulty)?;
        app.filters(routed.matched.route)?.fault.as_deref()
    }

    /// When it is tried again. `app`: the errand's own.
    #[inline]
    pub(crate) fn retry<'t>(&self, app: &'t AppEntry) -> &'t Retry {
        let routed = self.routed.as_ref();
        let filters = routed.and_then(|routed| app.filters(routed.matched.route));
        let own = filters.and_then(|filters| filters.retry.as_deref());
        own.unwrap_or(&app.plan.app.retry)
    }

    /// When it is tried a second time beside the first. `app`: the errand's own.
    #[inline]
    pub(crate) fn hedge(&self, app: &AppEntry) -> Option<Hedge> {
        let routed = self.routed.as_ref();
        let filters = routed.and_then(|routed| app.filters(routed.matched.route));
        filters
            .and_then(|filters| filters.hedge)
            .or(app.plan.app.hedge)
    }

    /// What stands in where nobody could serve it. `app`: the errand's own.
    pub(crate) fn fallback<'t>(&self, app: &'t AppEntry) -> Option<&'t Fallback> {
        let routed = self.routed.as_ref();
        app.fallback(routed.map_or(RouteId(0), |routed| routed.matched.route))
    }

    pub(crate) fn edit_response(&self, response: &mut Response<Reply>) {
        if let (Some(routed), Some(filters)) = (&self.routed, self.filters()) {
            routed.edit_response(filters, response.headers_mut());
        }
    }

    /// The status by which a response speaks of its backend.
    #[inline]
    pub(crate) fn told<T>(&self, response: &Response<T>) -> u16 {
        let status = response.status().as_u16();
        match self.grpc {
            true => grpc::status(response.headers()).map_or(status, grpc::as_http),
            false => status,
        }
    }

    /// Gives a call of gRPC an error of ours as it wants it; the status that it ends with.
    #[inline]
    pub(crate) fn translate(
        &self,
        response: &mut Response<Reply>,
        refusal: Option<Refusal>,
    ) -> Option<u8> {
        match self.grpc {
            true => grpc::answer(response, refusal),
            false => None,
        }
    }

    /// The answer that needs no backend, once.
    pub(crate) fn answer(&mut self) -> Option<(Response<Reply>, Kind)> {
        self.routed.as_mut()?.answer.take()
    }

    /// Notes for the access log where the request was led.
    pub(crate) fn lead(&mut self) {
        let Some(mut draft) = self.draft.take() else {
            return;
        };
        let plan = &self.app().plan;
        let version = plan.versions.get(usize::from(self.course.version()));
        let cluster = self
            .cluster
            .and_then(|cluster| plan.clusters.get(usize::from(cluster)));
        draft.lead(
            plan.name.as_str(),
            version.map_or("", |version| version.name.as_str()),
            cluster.map_or("", |cluster| cluster.name.as_str()),
        );
        self.draft = Some(draft);
    }
}
