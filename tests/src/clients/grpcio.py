# A service of gRPC's own library, and a client that calls it through a proxy.
import sys
import time
from concurrent import futures

import grpc


def failed(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")


def unary(request, context):
    context.set_trailing_metadata((("x-state", "done"),))
    return request


def late(request, context):
    time.sleep(2)
    return request


HANDLERS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Failed": grpc.unary_unary_rpc_method_handler(failed),
    "Late": grpc.unary_unary_rpc_method_handler(late),
    "Stream": grpc.unary_stream_rpc_method_handler(
        lambda request, context: (b"%d" % at for at in range(5))
    ),
    "Both": grpc.stream_stream_rpc_method_handler(lambda requests, context: requests),
}

server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", HANDLERS),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)

proxy, _, authority = sys.stdin.read().partition("\n")
if authority:
    channel = grpc.secure_channel(
        f"127.0.0.1:{proxy}",
        grpc.ssl_channel_credentials(authority.encode()),
        [("grpc.ssl_target_name_override", "a.test")],
    )
else:
    channel = grpc.insecure_channel(f"127.0.0.1:{proxy}")

answer, call = channel.unary_unary("/test.Test/Unary").with_call(b"hello", timeout=10)
print(f"unary {answer.decode()}, trailers {dict(call.trailing_metadata())['x-state']}")
answers = channel.unary_stream("/test.Test/Stream")(b"", timeout=10)
print("stream", *(answer.decode() for answer in answers))
answers = list(channel.stream_stream("/test.Test/Both")((b"x" * at for at in range(20)), timeout=10))
print(f"both {len(answers)} messages")
print("large", len(channel.unary_unary("/test.Test/Unary")(b"x" * 1000000, timeout=10)))
for method, say in ("Failed", "failed"), ("None", "unknown"), ("Late", "late"):
    try:
        channel.unary_unary(f"/test.Test/{method}")(b"", timeout=0.5)
    except grpc.RpcError as error:
        details = f" {error.details()}" if method == "Failed" else ""
        print(f"{say} {error.code().name}{details}")
server.stop(0)
