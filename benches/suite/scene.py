"""What every contender of a workload serves: the same names, addresses, clusters and steering."""

ZONE = "example.com"
HOSTS = 1000
HOST_TEMPLATE = "host0###.example.com"
APP_HOST = "shop.example.com"
API_PREFIX = "/api"
# Of the many hosts and routes, by number.
ROUTE_HOST = "host%05d.example.com"
ROUTE_PATH = "/part%d"
TTL = 60

# region -> (latitude, longitude, country)
REGIONS = {
    "us": (38.9, -77.4, "US"),
    "eu": (50.1, 8.7, "DE"),
    "ap": (1.35, 103.8, "SG"),
}
# cluster -> (region, the address DNS answers, its weight among the clusters of its region)
CLUSTERS = {
    "virginia": ("us", "192.0.2.1", 3),
    "ohio": ("us", "192.0.2.11", 1),
    "frankfurt": ("eu", "192.0.2.2", 3),
    "dublin": ("eu", "192.0.2.12", 1),
    "singapore": ("ap", "192.0.2.3", 3),
    "tokyo": ("ap", "192.0.2.13", 1),
}
CONTINENTS = {"EU": "eu", "AF": "eu", "AS": "ap", "OC": "ap", "NA": "us", "SA": "us", "AN": "us"}
# (continent, country): rules that differ from their continent's, so that both levels are walked
COUNTRIES = {("AS", "TR"): "eu", ("AS", "AE"): "eu", ("AS", "IL"): "eu", ("AF", "ZA"): "us"}
DEFAULT = "us"
# Where clients of a region go when all of it is down.
FAILOVER = {"us": ["us", "eu", "ap"], "eu": ["eu", "us", "ap"], "ap": ["ap", "us", "eu"]}


def members(region: str) -> dict:
    """The clusters of a region: name -> (address, weight)."""
    return {name: (address, weight) for name, (of, address, weight) in CLUSTERS.items() if of == region}


def addresses(region: str) -> list:
    return [address for address, _ in members(region).values()]


def latency_matrix() -> str:
    """Round-trip times by country of each region; those of one region are equals."""
    lines = [f"{country},{to},{10 if of == to else 110}" for of, (_, _, country) in REGIONS.items() for to in REGIONS]
    return "\n".join(["from,to,rtt_ms", *lines]) + "\n"


def hosts(count: int = HOSTS):
    """So many static names, each with its address; with 1,000 they fit HOST_TEMPLATE."""
    digits = max(4, len(str(count - 1)))
    for number in range(count):
        yield f"host{number:0{digits}}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def host_template(count: int) -> str:
    """What the load generator draws the names of `hosts(count)` from, `count` being a power of ten."""
    digits = max(4, len(str(count - 1)))
    drawn = len(str(count - 1))
    return f"host{'0' * (digits - drawn)}{'#' * drawn}.{ZONE}"


def zone_file(extra: str = "", count: int = HOSTS) -> str:
    """The zone in RFC 1035 form."""
    head = f"""$TTL {TTL}
@ SOA ns1 hostmaster 1 3600 600 604800 60
@ NS ns1
ns1 A 127.0.0.1
"""
    return head + "".join(f"{name} A {address}\n" for name, address in hosts(count)) + extra
