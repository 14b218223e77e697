"""The proxies that are measured, each configured for the same task: HTTP/1.1 keep-alive on both
sides, streaming in both directions, one thread, no access log."""
import json
import re
import subprocess

import stage

NGINX = """\
daemon off;
master_process off;
error_log /dev/null crit;
pid {folder}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream app {{
    server {app};
    keepalive 1024;
    keepalive_requests 1000000000;
  }}
  server {{
    listen {listen} backlog=4096;
    location / {{
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_buffer_size 64k;
      proxy_buffers 8 64k;
      proxy_busy_buffers_size 128k;
    }}
  }}
}}
"""

HAPROXY = """\
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout queue 1h
frontend front
  bind {listen} backlog 4096
  default_backend app
backend app
  http-reuse always
  server app {app}{limit}
"""


class Pilotlight:
    """Our sidecar, or any other that is configured by Knative's queue-proxy environment."""

    limits = True  # can hold a concurrency limit
    configuration = "Knative's queue-proxy environment (bench/stage.py); no autoscaler to report to"

    def __init__(self, name, path, version):
        self.name, self.path, self.version = name, path, version

    def start(self, listen_port, app_port, concurrency, folder):
        del folder
        environment = stage.sidecar_environment(listen_port, app_port, concurrency)
        return stage.Running([self.path], stage.PROXY_CORE, environment)


class Relay:
    name, version, limits = "relay", "bench/relay.cc", False
    configuration = "copies bytes and parses nothing: the floor"

    def __init__(self, path):
        self.path = path

    def start(self, listen_port, app_port, concurrency, folder):
        del concurrency, folder
        return stage.Running([self.path, f"{stage.ADDRESS}:{listen_port}",
                              f"{stage.LOOPBACK}:{app_port}"], stage.PROXY_CORE)


class FromFile:
    """A proxy that reads a configuration file, which `text` makes."""

    def start(self, listen_port, app_port, concurrency, folder):
        path = folder / self.file
        path.write_text(self.text(f"{stage.ADDRESS}:{listen_port}", f"{stage.LOOPBACK}:{app_port}",
                                  concurrency, folder))
        return stage.Running([self.path, *self.arguments, path], stage.PROXY_CORE, folder=folder)

    @property
    def configuration(self):
        return self.text("LISTEN", "APP", 0, "FOLDER")


class Nginx(FromFile):
    name, path, limits = "nginx", "/usr/sbin/nginx", False
    file, arguments = "nginx.conf", ("-c",)

    def __init__(self):
        self.version = version_of([self.path, "-v"])

    def text(self, listen, app, concurrency, folder):
        del concurrency
        return NGINX.format(listen=listen, app=app, folder=folder)


class Haproxy(FromFile):
    name, path, limits = "HAProxy", "/usr/sbin/haproxy", True
    file, arguments = "haproxy.cfg", ("-db", "-q", "-f")

    def __init__(self):
        self.version = version_of([self.path, "-v"])

    def text(self, listen, app, concurrency, folder):
        del folder
        return HAPROXY.format(listen=listen, app=app,
                              limit=f" maxconn {concurrency}" if concurrency else "")


class Envoy(FromFile):
    name, limits = "Envoy", False
    file = "envoy.json"
    arguments = ("--concurrency", "1", "--log-level", "off", "--disable-hot-restart", "-c")

    def __init__(self, path):
        self.path = path
        self.version = version_of([path, "--version"])

    def text(self, listen, app, concurrency, folder):
        del concurrency, folder
        return json.dumps(envoy_bootstrap(address_of(listen), address_of(app)), indent=1)


def address_of(text):
    host, _, port = text.partition(":")
    return {"socket_address": {"address": host, "port_value": int(port or 0)}}


def envoy_bootstrap(listen, app):
    http = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    manager = ("type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
               "HttpConnectionManager")
    plenty = 1_000_000
    return {
        "stats_config": {"stats_matcher": {"reject_all": True}},
        "static_resources": {
            "listeners": [{"name": "front", "address": listen, "filter_chains": [{"filters": [{
                "name": "http", "typed_config": {
                    "@type": manager, "stat_prefix": "front", "codec_type": "HTTP1",
                    "generate_request_id": False,
                    "http_filters": [{"name": "router", "typed_config": {"@type": http}}],
                    "route_config": {"virtual_hosts": [{
                        "name": "all", "domains": ["*"], "routes": [{
                            "match": {"prefix": "/"},
                            "route": {"cluster": "app", "timeout": "0s"}}]}]}}}]}]}],
            "clusters": [{
                "name": "app", "type": "STATIC", "connect_timeout": "5s",
                "circuit_breakers": {"thresholds": [{
                    "max_connections": plenty, "max_pending_requests": plenty,
                    "max_requests": plenty}]},
                "load_assignment": {"cluster_name": "app", "endpoints": [{
                    "lb_endpoints": [{"endpoint": {"address": app}}]}]}}]}}


def version_of(command):
    """The first thing that looks like a version in what it prints; nothing if it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except OSError:
        return None
    found = re.search(r"\d+\.\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
    return found[0] if found else "unknown"
