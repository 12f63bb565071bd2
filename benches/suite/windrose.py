"""Windrose's own configuration for each workload, in its own language."""

import json
from pathlib import Path

from . import scene

# Probes are not what is measured: as few as the language allows to matter.
_RARELY = {"interval": "60s"}


def dns_static(binary: Path, folder: Path, port: int) -> list:
    return run(binary, folder, {**_node(folder, dns=port), "zones": _zone()})


def dns_steered(binary: Path, folder: Path, port: int, geo_database: Path, endpoint_port: int, steps: list) -> list:
    app = {"hosts": [scene.APP_HOST], "versions": {"v1": {"endpoints": _endpoints(endpoint_port)}},
           "steering": steps, "answers": 1, "health": _RARELY}
    (folder / "latency.csv").write_text(scene.latency_matrix())
    data = {"geo": str(geo_database), "latency": "latency.csv"}
    return run(binary, folder, {
        **_node(folder, dns=port), "data": data, **_clusters(), "apps": {"shop": app}, "zones": _zone(),
    })


def geo_step() -> dict:
    """Continents and the countries that differ; behind a client's region stand the others."""
    order = lambda region: [list(scene.members(of)) for of in scene.FAILOVER[region]]
    return {"geo": {
        "continents": {continent: order(region) for continent, region in scene.CONTINENTS.items()},
        "countries": {country: order(region) for (_, country), region in scene.COUNTRIES.items()},
        "default": order(scene.DEFAULT),
    }}


def weighted_step() -> dict:
    return {"weighted": {cluster: weight for cluster, (_, _, weight) in scene.CLUSTERS.items()}}


def all_steps() -> list:
    """One step of each kind, in the order people write them; they end in the same tiers as `geo_step` and weights."""
    everyone = {"continents": list(scene.CONTINENTS)}
    return [
        {"fence": [{"clients": everyone, "clusters": list(scene.CLUSTERS)}]},
        geo_step(),
        {"nearest": {}},
        {"latency": {}},
        {"failover": [list(scene.members(region)) for region in scene.REGIONS]},
        weighted_step(),
    ]


def dns_million(binary: Path, folder: Path, port: int, endpoint_port: int, names: int, apps: int) -> list:
    clusters = ("virginia", "frankfurt", "singapore")
    weights = {cluster: scene.CLUSTERS[cluster][2] for cluster in clusters}
    steered = {
        f"app{number:05}": {
            "hosts": [f"app{number:05}.{scene.ZONE}"], "health": _RARELY, "steering": [{"weighted": weights}],
            "versions": {"v1": {"endpoints": {cluster: [f"127.0.0.1:{endpoint_port}"] for cluster in clusters}}},
        } for number in range(apps)
    }
    write_zone(folder, scene.zone_file(count=names))
    zones = {scene.ZONE: {"file": "zone"}}
    return run(binary, folder, {**_node(folder, dns=port), **_clusters(), "apps": steered, "zones": zones})


def write_zone(folder: Path, text: str):
    """The master file, changed in one moment."""
    (folder / "zone.new").write_text(text)
    (folder / "zone.new").rename(folder / "zone")


def dns_swaps(binary: Path, folder: Path, port: int, admin_port: int, endpoint_ports: list) -> list:
    """One app for each endpoint that comes and goes; `frankfurt` always stands behind it."""
    apps = {
        f"flip{number:03}": {
            "hosts": [f"flip{number:03}.{scene.ZONE}"], "steering": [{"failover": ["virginia", "frankfurt"]}],
            "versions": {"v1": {"endpoints": {"virginia": [f"127.0.0.1:{flipping}"], "frankfurt": [f"127.0.0.1:{endpoint_ports[-1]}"]}}},
            "health": {"interval": "2s", "timeout": "400ms", "fall": 1, "rise": 1},
            "failback": {"hold_down": "0s", "ramp_step": 100, "ramp_every": "1s"},
        } for number, flipping in enumerate(endpoint_ports[:-1])
    }
    node = _node(folder, dns=port)
    node["listeners"]["admin"] = f"127.0.0.1:{admin_port}"
    return run(binary, folder, {**node, **_clusters(), "apps": apps, "zones": _zone()})


def http(binary: Path, folder: Path, port: int, backend_port: int, certificate: Path | None) -> list:
    """`certificate`: chain and key in one file; without it plain HTTP."""
    app = {
        **_forwarded(scene.APP_HOST, backend_port),
        "split": {"v1": 100},
        "routes": [{"match": {"path": {"prefix": scene.API_PREFIX}}, "split": {"v1": 100}}],
    }
    if not certificate:
        return run(binary, folder, {**_node(folder, http=port), **_clusters(), "apps": {"shop": app}})
    tls = {"certificates": [{"cert": str(certificate), "key": str(certificate)}]}
    return run(binary, folder, {**_node(folder, https=port), "tls": tls, **_clusters(), "apps": {"shop": app}})


def grpc(binary: Path, folder: Path, port: int, backend_port: int) -> list:
    app = {**_forwarded(scene.APP_HOST, backend_port), "upstream": {"protocol": "http2"}, "health": {"tcp": {}, **_RARELY}}
    return run(binary, folder, {**_node(folder, http=port), **_clusters(), "apps": {"shop": app}})


def http_routes(binary: Path, folder: Path, port: int, backend_port: int, hosts: int, routes: int) -> list:
    """An app for each host; each route sends to a version of its own, all at one backend."""
    apps = {
        f"app{number:05}": {
            **_forwarded(scene.ROUTE_HOST % number, backend_port),
            "routes": [{"name": f"route{route}", "match": {"path": {"prefix": scene.ROUTE_PATH % route}}} for route in range(routes)],
        } for number in range(hosts)
    }
    return run(binary, folder, {**_node(folder, http=port), **_clusters(), "apps": apps})


def tcp(binary: Path, folder: Path, port: int, backend_port: int) -> list:
    node = _node(folder)
    node["listeners"]["tcp"] = {"edge": [f"127.0.0.1:{port}"]}
    app = {**_forwarded(scene.APP_HOST, backend_port), "tcp": {"listener": "edge"}}
    return run(binary, folder, {**node, **_clusters(), "apps": {"shop": app}})


def _forwarded(host: str, backend_port: int) -> dict:
    """An app with one backend."""
    return {"hosts": [host], "health": _RARELY, "versions": {"v1": {"endpoints": {"frankfurt": [f"127.0.0.1:{backend_port}"]}}}}


def run(binary: Path, folder: Path, configuration: dict) -> list:
    # JSON is YAML, and needs no library.
    file = folder / "windrose.yaml"
    file.write_text(json.dumps(configuration, indent=1))
    return [binary, "run", "-c", file]


def _node(folder: Path, **ports) -> dict:
    listeners = {kind: [f"127.0.0.1:{port}"] for kind, port in ports.items()}
    return {
        "schema": 1,
        "node": {"name": "bench", "data_dir": str(folder / "data"), "threads": 1},
        "listeners": {**listeners, "admin": "127.0.0.1:0"},
    }


def _clusters() -> dict:
    regions = {region: {"lat": lat, "lon": lon, "country": country} for region, (lat, lon, country) in scene.REGIONS.items()}
    clusters = {name: {"region": region, "addresses": [address]} for name, (region, address, _) in scene.CLUSTERS.items()}
    return {"regions": regions, "clusters": clusters}


def _endpoints(port: int) -> dict:
    """DNS answers the clusters' addresses; the endpoints are only probed."""
    return {cluster: [f"127.0.0.1:{port}"] for cluster in scene.CLUSTERS}


def _zone(count: int = scene.HOSTS) -> dict:
    soa = {"mname": "ns1", "rname": "hostmaster@example.com", "minimum": scene.TTL}
    records = [{"name": "@", "type": "NS", "value": "ns1"}, {"name": "ns1", "type": "A", "value": "127.0.0.1"}]
    records += [{"name": name, "type": "A", "value": address} for name, address in scene.hosts(count)]
    return {scene.ZONE: {"soa": soa, "ttl": scene.TTL, "records": records}}
