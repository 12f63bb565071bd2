"""What every contender of a workload serves: the same names, addresses, clusters and steering."""

ZONE = "example.com"
HOSTS = 1000
HOST_TEMPLATE = "host0###.example.com"
APP_HOST = "shop.example.com"
API_PREFIX = "/api"
TTL = 60

# cluster -> (region, latitude, longitude, country, the address DNS answers)
CLUSTERS = {
    "virginia": ("us", 38.9, -77.4, "US", "192.0.2.1"),
    "frankfurt": ("eu", 50.1, 8.7, "DE", "192.0.2.2"),
    "singapore": ("ap", 1.35, 103.8, "SG", "192.0.2.3"),
}
CONTINENTS = {
    "EU": "frankfurt", "AF": "frankfurt",
    "AS": "singapore", "OC": "singapore",
    "NA": "virginia", "SA": "virginia", "AN": "virginia",
}
# (continent, country): rules that differ from their continent's, so that both levels are walked
COUNTRIES = {("AS", "TR"): "frankfurt", ("AS", "AE"): "frankfurt", ("AS", "IL"): "frankfurt", ("AF", "ZA"): "virginia"}
DEFAULT = "virginia"


def hosts():
    """Each of the static names with its address."""
    for number in range(HOSTS):
        yield f"host{number:04}", f"10.0.{number >> 8}.{number & 255}"


def zone_file(extra: str = "") -> str:
    """The zone in RFC 1035 form."""
    head = f"""$TTL {TTL}
@ SOA ns1 hostmaster 1 3600 600 604800 60
@ NS ns1
ns1 A 127.0.0.1
"""
    return head + "".join(f"{name} A {address}\n" for name, address in hosts()) + extra
