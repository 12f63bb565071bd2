//! The keys of an app.

use super::balance::{BALANCE, ENDPOINT};
use super::breakers::BREAKERS;
use super::fallback::FALLBACK;
use super::outliers::OUTLIERS;
use super::rate_limit::RATE_LIMIT;
use super::retry::{HEDGE, RETRY};
use super::route::{ROUTE, TEXT};
use super::split::{SPLIT, SPLIT_BY};
use super::tls::APP_TLS;
use super::upstream::UPSTREAM;
use super::{Either, Field, Keys, List, Map, Mapping, PREFERENCE, Rule, S, Scalar, Shape};

pub(super) static APP: Shape = Keys(&Mapping {
    noun: "an app",
    rule: Rule::AtMostOne(&["split", "active"]),
    fields: &[
        Field::required(
            "hosts",
            List(&Scalar(S::Host)),
            "Names it is reached by; *.name for all below.",
        ),
        Field::required("versions", Map(S::Name, &VERSION), "Its releases, by name."),
        Field::optional(
            "split",
            SPLIT,
            "Versions by weight; may be left out when there is one version.",
        ),
        Field::optional(
            "active",
            Scalar(S::Name),
            "In place of `split`: the one version that all have, for blue-green.",
        ),
        Field::optional(
            "preview",
            Keys(&PREVIEW),
            "Who has another version, where the app's split holds.",
        ),
        Field::optional(
            "split_by",
            SPLIT_BY,
            "What makes splits sticky: whose requests have one version.",
        ),
        Field::optional(
            "routes",
            List(&ROUTE),
            "What is done with which requests; those that none matches have the app's split.",
        )
        .or("[]"),
        Field::optional(
            "encoded_slashes",
            Scalar(S::Choice(&["refuse", "keep"])),
            "What becomes of %2F, %5C and backslashes in paths, where there are routes.",
        )
        .or("\"refuse\""),
        Field::optional("health", Keys(&HEALTH), "How its endpoints are probed."),
        Field::optional(
            "steering",
            List(&Keys(&STEP)),
            "How a client's cluster is chosen, step by step; without it all clusters are alike.",
        )
        .or("[]"),
        Field::optional(
            "answers",
            Scalar(S::Whole(1, 8)),
            "Addresses of how many clusters a DNS answer carries.",
        )
        .or("1"),
        Field::optional(
            "sticky",
            Scalar(S::Bool),
            "Choose by the client's prefix instead of by chance.",
        )
        .or("false"),
        Field::optional(
            "when_all_down",
            Either(
                S::Choice(&["last_known", "all", "servfail", "nodata"]),
                &ALL_DOWN_FALLBACK,
            ),
            "What DNS says when every cluster is down.",
        )
        .or("\"last_known\""),
        Field::optional(
            "trickle",
            Scalar(S::Percent),
            "Share of the traffic of the tier in use that keeps the next tier warm; 100 switches.",
        )
        .or("0"),
        Field::optional(
            "min_up_fraction",
            Scalar(S::Fraction),
            "Below this share of up weight DNS leaves a tier.",
        )
        .or("0.5"),
        Field::optional(
            "ttl",
            Either(S::Seconds, &TTL),
            "Bounds of derived TTLs, or one number for both.",
        )
        .or("{\"min\": \"30s\", \"max\": \"60s\"}"),
        Field::optional("failback", Keys(&FAILBACK), "How a cluster comes back."),
        Field::optional(
            "timeouts",
            Keys(&TIMEOUTS),
            "Of the proxy; 0s switches one off.",
        ),
        Field::optional("retry", Keys(&RETRY), "Of the proxy."),
        Field::optional(
            "hedge",
            Keys(&HEDGE),
            "A second try beside the first, of requests that may be repeated; written, it is on.",
        ),
        Field::optional(
            "fallback",
            Keys(&FALLBACK),
            "What stands in where nobody could serve.",
        ),
        Field::optional(
            "balance",
            BALANCE,
            "How one endpoint of a version in a cluster is chosen: a policy, or more.",
        )
        .or("\"two_choices\""),
        Field::optional(
            "outliers",
            Keys(&OUTLIERS),
            "When endpoints are left out for what live traffic shows; written, even as {}, it is on.",
        ),
        Field::optional(
            "breakers",
            Keys(&BREAKERS),
            "How much each of its clusters may hold; written, even as {}, it is on.",
        ),
        Field::optional(
            "rate_limits",
            Map(S::Name, &RATE_LIMIT),
            "How many requests it takes from whom, by name; each node counts for itself.",
        )
        .or("{}"),
        Field::optional("tls", Keys(&APP_TLS), "TLS to clients of its hosts."),
        Field::optional(
            "upstream",
            Keys(&UPSTREAM),
            "How connections to its endpoints begin; health checks begin so, too.",
        ),
        Field::optional(
            "tcp",
            Keys(&TCP),
            "Connections of a TCP listener are its own; it is not served over HTTP then.",
        ),
    ],
});

static VERSION: Shape = Keys(&Mapping::new(
    "a version",
    &[Field::required(
        "endpoints",
        Map(S::Name, &List(&ENDPOINT)),
        "Where it runs: ip:port by cluster.",
    )],
));

static PREVIEW: Mapping = Mapping::new(
    "`preview`",
    &[
        Field::optional(
            "version",
            Scalar(S::Name),
            "Which; the other one when absent, where `active` leaves one.",
        ),
        Field::optional(
            "hosts",
            List(&Scalar(S::Host)),
            "Requests for these of the app's hosts.",
        )
        .or("[]"),
        Field::optional(
            "headers",
            Map(S::HeaderName, &TEXT),
            "Requests with all of these fields.",
        ),
    ],
);

static HEALTH: Mapping = Mapping {
    noun: "`health`",
    rule: Rule::AtMostOne(&["http", "tcp"]),
    fields: &[
        Field::optional("http", Keys(&HTTP_PROBE), "One HTTP/1.1 GET."),
        Field::optional(
            "tcp",
            Keys(&EMPTY),
            "Connects and closes; what is done without `http`.",
        ),
        Field::optional(
            "interval",
            Scalar(S::Duration),
            "Between two probes of an endpoint.",
        )
        .or("\"5s\""),
        Field::optional("timeout", Scalar(S::Duration), "For a whole probe.").or("\"2s\""),
        Field::optional("fall", Scalar(S::Whole(1, 100)), "Failures until down.").or("3"),
        Field::optional(
            "rise",
            Scalar(S::Whole(1, 100)),
            "Successes in a row until up.",
        )
        .or("3"),
    ],
};

static HTTP_PROBE: Mapping = Mapping::new(
    "an HTTP probe",
    &[
        Field::optional("path", Scalar(S::Text), "Begins with /.").or("\"/\""),
        Field::optional(
            "host",
            Scalar(S::Text),
            "The Host sent; the app's first host when absent.",
        ),
        Field::optional(
            "status",
            List(&Scalar(S::Status)),
            "Healthy codes and ranges.",
        )
        .or("[\"200-299\"]"),
    ],
);

static EMPTY: Mapping = Mapping::new("this mapping", &[]);

static ALL_DOWN_FALLBACK: Shape = Keys(&Mapping::new(
    "`when_all_down`",
    &[Field::required(
        "fallback",
        Scalar(S::Name),
        "One cluster, its health ignored.",
    )],
));

static TTL: Shape = Keys(&Mapping::new(
    "`ttl`",
    &[
        Field::optional("min", Scalar(S::Seconds), "Lower bound.").or("\"30s\""),
        Field::optional("max", Scalar(S::Seconds), "Upper bound.").or("\"60s\""),
    ],
));

static FAILBACK: Mapping = Mapping::new(
    "`failback`",
    &[
        Field::optional(
            "hold_down",
            Scalar(S::Duration),
            "Up for this long before traffic.",
        )
        .or("\"5m\""),
        Field::optional(
            "ramp_step",
            Scalar(S::Percent),
            "Then this many percent more …",
        )
        .or("2"),
        Field::optional("ramp_every", Scalar(S::Duration), "… per this time.").or("\"10s\""),
    ],
);

pub(super) static TIMEOUTS: Mapping = Mapping::new(
    "`timeouts`",
    &[
        Field::optional("connect", Scalar(S::Duration), "Until a connection stands.").or("\"1s\""),
        Field::optional(
            "first_byte",
            Scalar(S::Duration),
            "From the request's end to the response head.",
        )
        .or("\"15s\""),
        Field::optional(
            "per_try",
            Scalar(S::Duration),
            "One attempt, from its beginning to the response head.",
        )
        .or("\"0s\""),
        Field::optional("request", Scalar(S::Duration), "The whole exchange.").or("\"0s\""),
        Field::optional(
            "tunnel",
            Scalar(S::Duration),
            "Without an octet either way, after a switch of protocols (WebSocket) and of TCP connections.",
        )
        .or("\"1h\""),
    ],
);

static TCP: Mapping = Mapping::new(
    "`tcp`",
    &[
        Field::required("listener", Scalar(S::Name), "One of `listeners.tcp`."),
        Field::optional(
            "sni",
            Scalar(S::Bool),
            "Only connections whose TLS ClientHello names one of `hosts`; without it all that are no other app's.",
        )
        .or("false"),
        Field::optional(
            "max_connections",
            Scalar(S::Whole(0, 10_000_000)),
            "Open connections on a node; 0 is no limit.",
        )
        .or("0"),
        Field::optional(
            "max_duration",
            Scalar(S::Duration),
            "Of a connection; 0s is no limit.",
        )
        .or("\"0s\""),
        Field::optional(
            "when_endpoint_down",
            Scalar(S::Choice(&["keep", "close"])),
            "What becomes of established connections to an endpoint that is down or gone.",
        )
        .or("\"keep\""),
    ],
);

pub(super) static STEP: Mapping = Mapping {
    noun: "a steering step",
    rule: Rule::ExactlyOne(&["fence", "geo", "nearest", "latency", "weighted", "failover"]),
    fields: &[
        Field::optional(
            "fence",
            List(&FENCE_RULE),
            "Clients of a rule only go to its clusters; the first matching rule holds; fails closed.",
        ),
        Field::optional(
            "geo",
            Keys(&GEO),
            "By client prefix (most specific first), autonomous system, city, subdivision, country, continent, default.",
        ),
        Field::optional(
            "nearest",
            Keys(&NEAREST),
            "By distance from the client's city, or country, to regions.",
        ),
        Field::optional(
            "latency",
            Keys(&LATENCY),
            "By round-trip time: measured, or of the matrix, or estimated from the distance.",
        ),
        Field::optional(
            "weighted",
            Map(S::Name, &Scalar(S::Weight)),
            "Weights within tiers; a cluster not named has 1.",
        ),
        Field::optional("failover", PREFERENCE, "Fixed order."),
    ],
};

static NEAREST: Mapping = Mapping::new(
    "`nearest`",
    &[Field::optional(
        "bias",
        Map(S::Name, &Scalar(S::Bias)),
        "By cluster: above 0 it counts as nearer than it is, below 0 as farther.",
    )],
);

static LATENCY: Mapping = Mapping::new(
    "`latency`",
    &[
        Field::optional(
            "within",
            Scalar(S::Duration),
            "A cluster slower than the fastest by less than this is its equal …",
        )
        .or("\"5ms\""),
        Field::optional(
            "within_percent",
            Scalar(S::Percent),
            "… and so is one slower by less than this share of its own round trip.",
        )
        .or("10"),
        Field::optional(
            "measured",
            Scalar(S::Bool),
            "Whether what nodes measure goes before the matrix.",
        )
        .or("true"),
    ],
);

static FENCE_RULE: Shape = Keys(&Mapping::new(
    "a fence rule",
    &[
        Field::required(
            "clients",
            Keys(&CLIENTS),
            "Whom it binds: the union of what is listed.",
        ),
        Field::required("clusters", List(&Scalar(S::Name)), "Where they may go."),
    ],
));

pub(super) static CLIENTS: Mapping = Mapping::new(
    "`clients`",
    &[
        Field::optional("cidrs", List(&Scalar(S::Cidr)), "By address."),
        Field::optional(
            "lists",
            List(&Scalar(S::Name)),
            "By address, those of a list.",
        ),
        Field::optional("asns", List(&Scalar(S::Asn)), "By autonomous system."),
        Field::optional("cities", List(&Scalar(S::City)), "By city."),
        Field::optional(
            "subdivisions",
            List(&Scalar(S::Subdivision)),
            "By subdivision of a country.",
        ),
        Field::optional("countries", List(&Scalar(S::Country)), "By country."),
        Field::optional("continents", List(&Scalar(S::Continent)), "By continent."),
    ],
);

static GEO: Mapping = Mapping::new(
    "`geo`",
    &[
        Field::optional(
            "cidrs",
            Map(S::Cidr, &PREFERENCE),
            "By address, over every other rule.",
        ),
        Field::optional(
            "lists",
            Map(S::Name, &PREFERENCE),
            "By address, those of a list.",
        ),
        Field::optional(
            "asns",
            Map(S::Asn, &PREFERENCE),
            "By autonomous system, over every place.",
        ),
        Field::optional("cities", Map(S::City, &PREFERENCE), "By city."),
        Field::optional(
            "subdivisions",
            Map(S::Subdivision, &PREFERENCE),
            "By subdivision of a country.",
        ),
        Field::optional("countries", Map(S::Country, &PREFERENCE), "By country."),
        Field::optional(
            "continents",
            Map(S::Continent, &PREFERENCE),
            "By continent.",
        ),
        Field::optional("default", PREFERENCE, "For everyone else."),
    ],
);
