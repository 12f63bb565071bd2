"""All workloads by name."""

from . import dns, dns_changes, grpc, http, websocket

ALL = {workload.name: workload for workload in (
    dns.DnsStatic, dns.DnsSteered, dns.DnsDepth, dns.DnsTcp, dns.DnsTcpPipelined, dns.DnsFlood,
    dns_changes.DnsMillion, dns_changes.DnsSwaps, http.HttpKeepalive,
    http.HttpsKeepalive, http.HttpsHandshake, http.HttpLarge, http.HttpsLarge, http.TcpRelay, http.Http2In, grpc.GrpcUnary,
    http.HttpRoutes, websocket.WebSocket,
)}
