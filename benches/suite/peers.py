"""The peers: for each a configuration with one thread and no logs, and its command line."""

import shutil
from pathlib import Path

from . import scene
from .errors import BenchError


def program(name: str, package: str) -> str:
    """The path of a peer's program; sbin counts even where PATH lacks it."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if path is None:
        raise BenchError(f"{name} is not installed", help=f"apt-get install {package} (Debian)")
    return path


def gdnsd(folder: Path, port: int, geo_database=None) -> list:
    binary = program("gdnsd", "gdnsd")
    zones = folder / "zones"
    zones.mkdir()
    steered = f"{scene.APP_HOST.split('.')[0]} {scene.TTL} DYNA geoip!shop\n" if geo_database else ""
    (zones / scene.ZONE).write_text(scene.zone_file(steered))
    plugin = f"plugins => {{ geoip => {_gdnsd_geoip(geo_database)} }}" if geo_database else ""
    (folder / "config").write_text(f"""options => {{
  listen => 127.0.0.1:{port}
  udp_threads => 1
  tcp_threads => 1
  run_dir => {folder}/run
  state_dir => {folder}/state
}}
{plugin}
""")
    return [binary, "-c", folder, "start"]


def _gdnsd_geoip(geo_database: Path) -> str:
    continents = []
    for continent, cluster in scene.CONTINENTS.items():
        rules = [f"{country} => [{to}]" for (of, country), to in scene.COUNTRIES.items() if of == continent]
        inner = f"{{ default => [{cluster}], {', '.join(rules)} }}" if rules else f"[{cluster}]"
        continents.append(f"{continent} => {inner}")
    addresses = ", ".join(f"{cluster} => {rest[-1]}" for cluster, rest in scene.CLUSTERS.items())
    return f"""{{
  maps => {{ world => {{
    geoip2_db => {geo_database}
    datacenters => [{', '.join(scene.CLUSTERS)}]
    map => {{ default => [{scene.DEFAULT}], {', '.join(continents)} }}
  }} }}
  resources => {{ shop => {{ map => world, service_types => up, dcmap => {{ {addresses} }} }} }}
}}"""


def knot(folder: Path, port: int, geo_database=None) -> list:
    binary = program("knotd", "knot")
    address = {cluster: rest[-1] for cluster, rest in scene.CLUSTERS.items()}
    steered, module, use = "", "", ""
    if geo_database:
        # What no view matches is answered from the zone.
        steered = f"{scene.APP_HOST.split('.')[0]} A {address[scene.DEFAULT]}\n"
        rules = [(f"{continent};*", cluster) for continent, cluster in scene.CONTINENTS.items()]
        rules += [(f"{continent};{country}", cluster) for (continent, country), cluster in scene.COUNTRIES.items()]
        views = "".join(f'  - geo: "{place}"\n    A: {address[cluster]}\n' for place, cluster in rules)
        (folder / "geo.conf").write_text(f"{scene.APP_HOST}:\n{views}")
        module = f"""mod-geoip:
  - id: world
    config-file: {folder}/geo.conf
    ttl: {scene.TTL}
    mode: geodb
    geodb-file: {geo_database}
    geodb-key: [ continent/code, country/iso_code ]
"""
        use = "    module: mod-geoip/world\n"
    (folder / "zone").write_text(scene.zone_file(steered))
    (folder / "knot.conf").write_text(f"""server:
  rundir: {folder}
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  edns-client-subnet: {'on' if geo_database else 'off'}
log:
  - target: stderr
    any: error
database:
  storage: {folder}
{module}zone:
  - domain: {scene.ZONE}
    file: {folder}/zone
    zonefile-sync: -1
    journal-content: none
{use}""")
    if geo_database and not any(Path("/usr/lib").glob("**/knot/modules*/geoip.so")):
        raise BenchError("Knot's geoip module is not installed", help="apt-get install knot-module-geoip (Debian)")
    return [binary, "-c", folder / "knot.conf"]


def haproxy(folder: Path, port: int, backend_port: int) -> list:
    binary = program("haproxy", "haproxy")
    (folder / "haproxy.cfg").write_text(f"""global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option forwardfor
frontend edge
  bind 127.0.0.1:{port}
  acl is_shop hdr(host) -i {scene.APP_HOST}
  acl is_api path_beg {scene.API_PREFIX}
  use_backend api if is_shop is_api
  use_backend shop if is_shop
backend api
  server frankfurt 127.0.0.1:{backend_port}
backend shop
  server frankfurt 127.0.0.1:{backend_port}
""")
    return [binary, "-db", "-f", folder / "haproxy.cfg"]


def nginx(folder: Path, port: int, backend_port: int) -> list:
    binary = program("nginx", "nginx-light")
    temporary = "".join(f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    pools = "".join(f"  upstream {name} {{ server 127.0.0.1:{backend_port}; keepalive 64; keepalive_requests 1000000000; }}\n"
                    for name in ("api", "shop"))
    places = "".join(f"""    location {path} {{
      proxy_pass http://{name};
      proxy_http_version 1.1;
      proxy_set_header connection "";
      proxy_set_header host $host;
      proxy_set_header x-forwarded-for $remote_addr;
    }}
""" for path, name in ((scene.API_PREFIX, "api"), ("/", "shop")))
    (folder / "nginx.conf").write_text(f"""daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
{temporary}{pools}  server {{
    listen 127.0.0.1:{port};
    server_name {scene.APP_HOST};
{places}  }}
}}
""")
    return [binary, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
