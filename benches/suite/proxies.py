"""The proxy peers: for each a configuration with one thread and no logs, and its command line."""

from pathlib import Path

from . import scene
from .errors import BenchError
from .peers import program


def haproxy_http2(folder: Path, port: int, backend_port: int, _certificate: None) -> list:
    """HTTP/2 in the clear to the backend as well."""
    return haproxy(folder, port, backend_port, server=" proto h2")


def haproxy(folder: Path, port: int, backend_port: int, certificate: Path | None = None, server: str = "") -> list:
    """`certificate`: chain and key in one file; without it plain HTTP."""
    tls = f" ssl crt {certificate} alpn http/1.1" if certificate else ""
    return _haproxy(folder, f"""defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel 30s
  option forwardfor
frontend edge
  bind 127.0.0.1:{port}{tls}
  acl is_shop hdr(host) -i {scene.APP_HOST}
  acl is_api path_beg {scene.API_PREFIX}
  use_backend api if is_shop is_api
  use_backend shop if is_shop
backend api
  server frankfurt 127.0.0.1:{backend_port}{server}
backend shop
  server frankfurt 127.0.0.1:{backend_port}{server}
""")


def haproxy_tcp(folder: Path, port: int, backend_port: int) -> list:
    return _haproxy(folder, f"""defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen edge
  bind 127.0.0.1:{port}
  server frankfurt 127.0.0.1:{backend_port}
""")


def _haproxy(folder: Path, rest: str) -> list:
    binary = program("haproxy", "haproxy")
    (folder / "haproxy.cfg").write_text(f"global\n  nbthread 1\n  maxconn 8000\n{rest}")
    return [binary, "-db", "-f", folder / "haproxy.cfg"]


def nginx_http2(folder: Path, port: int, backend_port: int, _certificate: None) -> list:
    """HTTP/2 in the clear; this nginx speaks nothing else on such a port."""
    return nginx(folder, port, backend_port, also=" http2")


def nginx(folder: Path, port: int, backend_port: int, certificate: Path | None = None, also: str = "") -> list:
    """`certificate`: chain and key in one file; without it plain HTTP."""
    listen, tls = f"127.0.0.1:{port}{also}", ""
    if certificate:
        listen += " ssl"
        tls = f"    ssl_certificate {certificate};\n    ssl_certificate_key {certificate};\n    ssl_protocols TLSv1.2 TLSv1.3;\n"
    temporary = "".join(f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    pools = "".join(f"  upstream {name} {{ server 127.0.0.1:{backend_port}; keepalive 64; keepalive_requests 1000000000; }}\n"
                    for name in ("api", "shop"))
    places = "".join(f"""    location {path} {{
      proxy_pass http://{name};
      proxy_http_version 1.1;
      proxy_set_header connection $passed_on;
      proxy_set_header upgrade $http_upgrade;
      proxy_set_header host $host;
      proxy_set_header x-forwarded-for $remote_addr;
    }}
""" for path, name in ((scene.API_PREFIX, "api"), ("/", "shop")))
    return _nginx(folder, f"""http {{
  access_log off;
  keepalive_requests 1000000000;
  map $http_upgrade $passed_on {{ default upgrade; "" ""; }}
{temporary}{pools}  server {{
    listen {listen};
{tls}    server_name {scene.APP_HOST};
{places}  }}
}}
""")


def nginx_tcp(folder: Path, port: int, backend_port: int) -> list:
    module = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    if not module.is_file():
        raise BenchError(f"nginx has no {module}", help="apt-get install libnginx-mod-stream")
    return _nginx(folder, f"""stream {{
  upstream shop {{ server 127.0.0.1:{backend_port}; }}
  server {{
    listen 127.0.0.1:{port};
    proxy_pass shop;
  }}
}}
""", modules=f"load_module {module};\n")


def _nginx(folder: Path, rest: str, modules: str = "") -> list:
    binary = program("nginx", "nginx-light")
    (folder / "nginx.conf").write_text(f"""{modules}daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr crit;
events {{ worker_connections 16000; }}
{rest}""")
    return [binary, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
