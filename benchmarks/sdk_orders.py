"""The official SDK's ``new_order``, bare; run by the interpreter of ``.venv-peers``.

Reads how many orders to place from each line of its input and answers with a JSON array of
durations in nanoseconds. Argument: the venue's URL.
"""

import importlib
import json
import sys
import time


def main(url: str) -> None:
    spot = importlib.import_module("binance_sdk_spot.spot")  # not installed where types are checked
    keys = {"api_key": "bench-key", "api_secret": "bench-secret"}
    settings = spot.ConfigurationRestAPI(**keys, base_path=url, retries=0)
    client = spot.Spot(config_rest_api=settings).rest_api
    print(json.dumps([]), flush=True)
    for line in sys.stdin:
        taken_ns = []
        for _ in range(int(line)):
            began_ns = time.perf_counter_ns()  # noqa: TID251  no Clock in this environment
            reply = client.new_order(
                symbol="BTCUSDT",
                side="BUY",
                type="LIMIT",
                time_in_force="GTC",
                quantity=0.001,
                price=50000.0,
            )
            assert reply.data().order_id
            taken_ns.append(time.perf_counter_ns() - began_ns)  # noqa: TID251
        print(json.dumps(taken_ns), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
