"""Windrose's own configuration for each workload, in its own language."""

import json
from pathlib import Path

from . import scene


def dns_static(binary: Path, folder: Path, port: int) -> list:
    return _run(binary, folder, {**_node(folder, dns=port), "zones": _zone()})


def dns_steered(binary: Path, folder: Path, port: int, geo_database: Path, endpoint_port: int) -> list:
    steering = {"geo": {
        "continents": {continent: [cluster] for continent, cluster in scene.CONTINENTS.items()},
        "countries": {country: [cluster] for (_, country), cluster in scene.COUNTRIES.items()},
        "default": [scene.DEFAULT],
    }}
    # DNS answers the clusters' addresses; the endpoints are only probed.
    endpoints = {cluster: [f"127.0.0.1:{endpoint_port}"] for cluster in scene.CLUSTERS}
    app = {"hosts": [scene.APP_HOST], "versions": {"v1": {"endpoints": endpoints}}, "steering": [steering], "answers": 1}
    return _run(binary, folder, {
        **_node(folder, dns=port), "data": {"geo": str(geo_database)}, **_clusters(), "apps": {"shop": app}, "zones": _zone(),
    })


def http_keepalive(binary: Path, folder: Path, port: int, backend_port: int) -> list:
    app = {
        "hosts": [scene.APP_HOST],
        "versions": {"v1": {"endpoints": {"frankfurt": [f"127.0.0.1:{backend_port}"]}}},
        "split": {"v1": 100},
        "routes": [{"match": {"path": {"prefix": scene.API_PREFIX}}, "split": {"v1": 100}}],
    }
    return _run(binary, folder, {**_node(folder, http=port), **_clusters(), "apps": {"shop": app}})


def _run(binary: Path, folder: Path, configuration: dict) -> list:
    # JSON is YAML, and needs no library.
    file = folder / "windrose.yaml"
    file.write_text(json.dumps(configuration, indent=2))
    return [binary, "run", "-c", file]


def _node(folder: Path, **ports) -> dict:
    listeners = {kind: [f"127.0.0.1:{port}"] for kind, port in ports.items()}
    return {
        "schema": 1,
        "node": {"name": "bench", "data_dir": str(folder / "data"), "threads": 1},
        "listeners": {**listeners, "admin": "127.0.0.1:0"},
    }


def _clusters() -> dict:
    regions = {region: {"lat": lat, "lon": lon, "country": country} for region, lat, lon, country, _ in scene.CLUSTERS.values()}
    clusters = {name: {"region": rest[0], "addresses": [rest[-1]]} for name, rest in scene.CLUSTERS.items()}
    return {"regions": regions, "clusters": clusters}


def _zone() -> dict:
    soa = {"mname": "ns1", "rname": "hostmaster@example.com", "minimum": scene.TTL}
    records = [{"name": "@", "type": "NS", "value": "ns1"}, {"name": "ns1", "type": "A", "value": "127.0.0.1"}]
    records += [{"name": name, "type": "A", "value": address} for name, address in scene.hosts()]
    return {scene.ZONE: {"soa": soa, "ttl": scene.TTL, "records": records}}
