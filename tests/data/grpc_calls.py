"""Calls of gRPC by grpcio, server and client, with a proxy in between.

Prints the server's port, reads the proxy's address, makes the calls, and ends with "done". Messages are
octets: what is inside them is nobody's business here. Without grpcio it ends with 77.
"""

import sys
import threading
from concurrent import futures

try:
    import grpc
except ImportError:
    sys.exit(77)

CANCELLED = threading.Event()
BIG = 3 << 20


def unary(request, context):
    sent = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-initial", sent.get("x-ask", "")), ("x-octets-bin", b"\x00\xff")))
    context.set_trailing_metadata((("x-trailing", "t"), ("x-trailing-bin", b"\x01\xfe")))
    return request


def fails(request, context):
    context.set_trailing_metadata((("x-why", "because"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no: 100 % \u00fc")


def collect(requests, context):
    return b"".join(requests)


def spread(request, context):
    for octet in request:
        yield bytes([octet])


def echo(requests, context):
    yield from requests


def slow(request, context):
    context.add_callback(CANCELLED.set)
    yield b"first"
    CANCELLED.wait(20)


def left(request, context):
    return str(context.time_remaining()).encode()


class Handler(grpc.GenericRpcHandler):
    KINDS = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Fails": grpc.unary_unary_rpc_method_handler(fails),
        "Left": grpc.unary_unary_rpc_method_handler(left),
        "Collect": grpc.stream_unary_rpc_method_handler(collect),
        "Spread": grpc.unary_stream_rpc_method_handler(spread),
        "Slow": grpc.unary_stream_rpc_method_handler(slow),
        "Echo": grpc.stream_stream_rpc_method_handler(echo),
    }

    def service(self, details):
        return self.KINDS.get(details.method.rpartition("/")[2])


OPTIONS = [("grpc.max_receive_message_length", 2 * BIG), ("grpc.max_send_message_length", 2 * BIG)]


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("it did not fail")


def main():
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Handler()], options=OPTIONS)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    address = sys.stdin.readline().strip()
    options = OPTIONS + [("grpc.default_authority", "grpc.example.com")]
    with grpc.insecure_channel(address, options=options) as channel:
        name = "/example.Test/{}".format

        # Unary, with metadata both ways and trailers.
        ask = (("x-ask", "me"),)
        reply, call = channel.unary_unary(name("Unary")).with_call(b"hello", metadata=ask, timeout=10)
        assert reply == b"hello", reply
        initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
        assert initial["x-initial"] == "me" and initial["x-octets-bin"] == b"\x00\xff", initial
        assert trailing["x-trailing"] == "t" and trailing["x-trailing-bin"] == b"\x01\xfe", trailing

        # A status with its message and its trailers.
        error = code_of(lambda: channel.unary_unary(name("Fails"))(b"", timeout=10))
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
        assert error.details() == "no: 100 % \u00fc", error.details()
        assert dict(error.trailing_metadata())["x-why"] == "because"
        error = code_of(lambda: channel.unary_unary(name("Unknown"))(b"", timeout=10))
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error

        # Big messages.
        big = bytes(range(256)) * (BIG // 256)
        assert channel.unary_unary(name("Unary"))(big, timeout=20) == big

        # Streams of each kind.
        pieces = [b"%d" % n for n in range(500)]
        assert channel.stream_unary(name("Collect"))(iter(pieces), timeout=10) == b"".join(pieces)
        got = list(channel.unary_stream(name("Spread"))(b"abc" * 300, timeout=10))
        assert b"".join(got) == b"abc" * 300 and len(got) == 900
        assert list(channel.stream_stream(name("Echo"))(iter(pieces), timeout=10)) == pieces
        # One message after the other, each waited for.
        turns = threading.Semaphore(1)

        def in_turn():
            for n in range(20):
                turns.acquire()
                yield b"%d" % n

        for n, message in enumerate(channel.stream_stream(name("Echo"))(in_turn(), timeout=10)):
            assert message == b"%d" % n
            turns.release()

        # Many at a time.
        calls = [channel.unary_unary(name("Unary")).future(b"%d" % n, timeout=20) for n in range(300)]
        assert [call.result() for call in calls] == [b"%d" % n for n in range(300)]

        # What is left of a deadline (grpcio rounds up); the route allows ten seconds.
        time = float(channel.unary_unary(name("Left"))(b"", timeout=5))
        assert 3 < time < 5.5, time
        time = float(channel.unary_unary(name("Left"))(b"", timeout=600))
        assert 8 < time < 10.5, time
        error = code_of(lambda: list(channel.unary_stream(name("Slow"))(b"", timeout=0.3)))
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
        assert CANCELLED.wait(10), "the server was not told of the deadline"

        # Cancellation.
        CANCELLED.clear()
        stream = channel.unary_stream(name("Slow"))(b"")
        assert next(stream) == b"first"
        stream.cancel()
        assert CANCELLED.wait(10), "the server was not told of the cancellation"

        # Nobody serves any more.
        server.stop(0).wait()
        error = code_of(lambda: channel.unary_unary(name("Unary"))(b"", timeout=5))
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
    print("done", flush=True)


main()
