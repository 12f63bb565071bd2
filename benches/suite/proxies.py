"""The HTTP peers: for each a configuration with one thread and no logs, and its command line."""

from pathlib import Path

from . import scene
from .peers import program


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
