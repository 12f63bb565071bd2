"""The DNS peers: for each a configuration with one thread and no logs, and its command line.

Steered, all of them send clients to a region by continent and country. gdnsd and PowerDNS
then divide among the region's clusters by weight, and gdnsd has the other regions behind
it; Knot's geo module can do neither, and answers the first cluster.
"""

import shutil
import subprocess
from pathlib import Path

from . import scene
from .errors import BenchError

_HERE = Path(__file__).resolve().parent


def program(name: str, package: str) -> str:
    """The path of a peer's program; sbin counts even where PATH lacks it."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if path is None:
        raise BenchError(f"{name} is not installed", help=f"apt-get install {package} (Debian)")
    return path


def built(crate: str) -> Path:
    """The release binary of a crate of the bench, built if need be."""
    folder = _HERE.parent / crate
    command = ["cargo", "build", "--release", "--locked", "--message-format", "json-render-diagnostics"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{crate} does not build:\n{done.stderr[-2000:]}")
    paths = [line.split('"executable":"', 1)[1].split('"', 1)[0] for line in done.stdout.splitlines() if '"executable":"' in line]
    return Path(paths[-1])


def gdnsd(folder: Path, port: int, geo_database=None) -> list:
    binary = program("gdnsd", "gdnsd")
    zones = folder / "zones"
    zones.mkdir()
    steered = f"{scene.APP_HOST.split('.')[0]} {scene.TTL} DYNA geoip!shop\n" if geo_database else ""
    (zones / scene.ZONE).write_text(scene.zone_file(steered))
    plugins = f"plugins => {{ {_gdnsd_weighted()} geoip => {_gdnsd_geoip(geo_database)} }}" if geo_database else ""
    (folder / "config").write_text(f"""options => {{
  listen => 127.0.0.1:{port}
  udp_threads => 1
  tcp_threads => 1
  tcp_clients_per_thread => 1024
  run_dir => {folder}/run
  state_dir => {folder}/state
}}
{plugins}
""")
    return [binary, "-c", folder, "start"]


def _gdnsd_weighted() -> str:
    """A resource for each region; one cluster of it per answer."""
    resources = []
    for region in scene.REGIONS:
        members = ", ".join(f"{name} => [{address}, {weight}]" for name, (address, weight) in scene.members(region).items())
        resources.append(f"{region} => {{ service_types => up, {members} }}")
    return f"weighted => {{ multi => false, {', '.join(resources)} }}"


def _gdnsd_geoip(geo_database: Path) -> str:
    order = lambda region: f"[{', '.join(scene.FAILOVER[region])}]"
    continents = []
    for continent, region in scene.CONTINENTS.items():
        rules = [f"{country} => {order(to)}" for (of, country), to in scene.COUNTRIES.items() if of == continent]
        inner = f"{{ default => {order(region)}, {', '.join(rules)} }}" if rules else order(region)
        continents.append(f"{continent} => {inner}")
    pools = ", ".join(f"{region} => %weighted!{region}" for region in scene.REGIONS)
    return f"""{{
  maps => {{ world => {{
    geoip2_db => {geo_database}
    datacenters => [{', '.join(scene.REGIONS)}]
    map => {{ default => {order(scene.DEFAULT)}, {', '.join(continents)} }}
  }} }}
  resources => {{ shop => {{ map => world, dcmap => {{ {pools} }} }} }}
}}"""


def knot(folder: Path, port: int, geo_database=None) -> list:
    binary = program("knotd", "knot")
    address = {region: scene.addresses(region)[0] for region in scene.REGIONS}
    steered, module, use = "", "", ""
    if geo_database:
        # What no view matches is answered from the zone.
        steered = f"{scene.APP_HOST.split('.')[0]} A {address[scene.DEFAULT]}\n"
        rules = [(f"{continent};*", region) for continent, region in scene.CONTINENTS.items()]
        rules += [(f"{continent};{country}", region) for (continent, country), region in scene.COUNTRIES.items()]
        views = "".join(f'  - geo: "{place}"\n    A: {address[region]}\n' for place, region in rules)
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
  tcp-max-clients: 1024
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


def nsd(folder: Path, port: int) -> list:
    binary = program("nsd", "nsd")
    (folder / "zone").write_text(scene.zone_file())
    (folder / "nsd.conf").write_text(f"""server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  cookie-secret-file: "{folder}/cookies"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  tcp-count: 1024
  tcp-query-count: 0
  verbosity: 0
remote-control:
  control-enable: no
zone:
  name: {scene.ZONE}
  zonefile: "{folder}/zone"
""")
    return [binary, "-d", "-c", folder / "nsd.conf"]


def powerdns(folder: Path, port: int, geo_database: Path) -> list:
    binary = program("pdns_server", "pdns-server")
    if not any(Path("/usr/lib").glob("**/pdns/libgeoipbackend.so")):
        raise BenchError("PowerDNS's geoip backend is not installed", help="apt-get install pdns-backend-geoip (Debian)")
    (folder / "geo.yaml").write_text(_powerdns_zone())
    (folder / "pdns.conf").write_text(f"""launch=geoip
geoip-zones-file={folder}/geo.yaml
geoip-database-files=mmdb:{geo_database}
edns-subnet-processing=yes
local-address=127.0.0.1
local-port={port}
socket-dir={folder}
receiver-threads=1
distributor-threads=1
loglevel=3
log-dns-queries=no
security-poll-suffix=
""")
    return [binary, f"--config-dir={folder}", "--daemon=no", "--guardian=no"]


def _powerdns_zone() -> str:
    """The geoip backend's own language. A name is tried after the other until one has records."""
    pools = {f"{country.lower()}.country": region for (_, country), region in scene.COUNTRIES.items()}
    pools |= {f"{continent.lower()}.continent": region for continent, region in scene.CONTINENTS.items()}
    pools["default"] = scene.DEFAULT
    records = "".join(
        f"    {name}.{scene.ZONE}:\n" + "".join(
            f"      - a: {{content: {address}, weight: {weight}}}\n" for address, weight in scene.members(region).values())
        for name, region in pools.items())
    return f"""domains:
- domain: {scene.ZONE}
  ttl: {scene.TTL}
  records:
    {scene.ZONE}:
      - soa: ns1.{scene.ZONE} hostmaster.{scene.ZONE} 1 3600 600 604800 60
      - ns: ns1.{scene.ZONE}
    ns1.{scene.ZONE}:
      - a: 127.0.0.1
{records}  services:
    {scene.APP_HOST}: ['%cc.country.{scene.ZONE}', '%cn.continent.{scene.ZONE}', 'default.{scene.ZONE}']
"""


def hickory(folder: Path, port: int) -> list:
    (folder / "zone").write_text(scene.zone_file())
    return [built("peers/hickory"), f"127.0.0.1:{port}", scene.ZONE, folder / "zone", "1"]


def echo(folder: Path, port: int) -> list:
    """No server at all: what the sockets cost."""
    return [built("loadgen"), "echo", "--listen", f"127.0.0.1:{port}"]
