"""``otonom-trader testnet``: a local exchange to rehearse on, and faults ordered from it."""

import asyncio
import json
import signal
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from otonom_trader.domain.amount import exact
from otonom_trader.domain.errors import TraderError

testnet_app = typer.Typer(
    help="Run a local Binance Spot exchange on loopback, with play money, until stopped.",
    add_completion=False,
)

Url = Annotated[str, typer.Option("--url", help="The testnet's address, as it printed it.")]


@testnet_app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    api_key: Annotated[str, typer.Option(help="The account's key.")] = "testApiKey",
    api_secret: Annotated[str, typer.Option(help="Its secret.")] = "testSecret",  # noqa: S107
    public_key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=FILE", help="A further key, RSA or Ed25519 in PEM."),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,KEY,SECRET[,ASSET=AMOUNT…]",
            help="A further account with a key of its own; may be given again.",
        ),
    ] = None,
    balance: Annotated[
        list[str] | None, typer.Option(metavar="ASSET=AMOUNT", help="May be given again.")
    ] = None,
    market: Annotated[
        str, typer.Option(help="synthetic, empty, bars:FILE[@SYMBOL] or book:REST,STREAM[,loop].")
    ] = "synthetic",
    speed: Annotated[str, typer.Option(help="Play a one-minute bar in 60/SPEED seconds.")] = "1",
    warmup: Annotated[int, typer.Option(min=0, help="Bars of history before the start.")] = 0,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    limit: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="A rate limit; may be repeated.")
    ] = None,
    exchange_info: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A saved exchangeInfo: what is listed.")
    ] = None,
    query_lag: Annotated[
        int, typer.Option(min=0, metavar="MS", help="How far queries lag behind the engine.")
    ] = 0,
    tls: Annotated[bool, typer.Option("--tls", help="Serve https and wss.")] = False,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --tls: where to write what to trust.")
    ] = None,
) -> None:
    """Run a local Binance Spot exchange on loopback, with play money, until stopped."""
    if context.invoked_subcommand is not None:
        return
    from otonom_trader import testnet as venue

    try:
        first = venue.AccountConfig(
            api_key=api_key,
            api_secret=api_secret,
            balances=venue.parse_balances(balance or ["USDT=100000", "BTC=0.5"]),
            keys=tuple(_public_key(text) for text in public_key or []),
        )
        chosen = venue.TestnetConfig(
            port=port,
            accounts=(first, *map(venue.AccountConfig.parse, account or [])),
            market=venue.MarketSpec.parse(market),
            speed=exact(speed, "speed"),
            warmup_bars=warmup,
            seed=seed,
            limits=venue.RateLimits.parse(limit or []),
            exchange_info=exchange_info,
            query_lag_ms=query_lag,
            tls=tls,
            certificate=certificate,
        )
        _until_signalled(venue.serve(chosen, typer.echo, partial(typer.echo, err=True)))
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None
    except OSError as fault:
        raise TraderError(f"the testnet cannot listen on port {port}: {fault.strerror}") from None


@testnet_app.command()
def fault(
    name: Annotated[str, typer.Argument(help="Such as drop_after; docs/testnet.md lists them.")],
    url: Url,
    path: Annotated[
        str, typer.Option(help="A REST path, a WebSocket method, or a stream such as user.")
    ] = "/api/v3/order",
    method: Annotated[
        str | None, typer.Option(help="Of a REST path, POST unless said.", show_default=False)
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="So many requests.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="For so long.")] = None,
    probability: Annotated[float | None, typer.Option(min=0, max=1, help="By chance.")] = None,
    milliseconds: Annotated[int | None, typer.Option("--ms", min=0, help="Of a delay.")] = None,
    retry_after: Annotated[int | None, typer.Option(min=0, help="Seconds, of a limit.")] = None,
    unexecuted: Annotated[
        bool, typer.Option("--unexecuted", help="The engine does not act, where that is a choice.")
    ] = False,
) -> None:
    """Order a fault from a running testnet; prints its id."""
    wanted: dict[str, Any] = {"path": path, "fault": name}
    given = {
        "method": method or ("POST" if path.startswith("/") else None),
        "count": count,
        "seconds": seconds,
        "probability": probability,
        "ms": milliseconds,
        "retry_after_s": retry_after,
    }
    wanted |= {key: value for key, value in given.items() if value is not None}
    if unexecuted:
        wanted["executed"] = False
    typer.echo(_ask(url, "POST", "/testnet/faults", wanted)["id"])


@testnet_app.command()
def faults(url: Url) -> None:
    """Show the faults that are on, and what is left of each, as JSON."""
    typer.echo(json.dumps(_ask(url, "GET", "/testnet/faults"), indent=2))


@testnet_app.command()
def mend(
    url: Url,
    fault_id: Annotated[int | None, typer.Argument(metavar="[ID]", help="All without one.")] = None,
) -> None:
    """End a fault, or all of them and every ban; prints what was ended."""
    suffix = "" if fault_id is None else f"/{fault_id}"
    mended = _ask(url, "DELETE", f"/testnet/faults{suffix}")
    for each in mended["ended"]:
        place = " ".join(filter(None, (each["method"], each["path"])))
        typer.echo(f"fault {each['id']} ended: {each['fault']} on {place}, struck {each['struck']}")
    if bans := mended.get("bans_lifted"):
        typer.echo(f"bans lifted: {bans}")
    if not mended["ended"] and not bans:
        typer.echo("no fault was in force")


@testnet_app.command()
def truth(url: Url) -> None:
    """Print the engine's own orders, fills, balances and requests, as JSON."""
    typer.echo(json.dumps(_ask(url, "GET", "/testnet/truth"), indent=2))


def _ask(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    from otonom_trader.daemon.testnet_client import ask

    return ask(url, method, path, body)


def _public_key(text: str) -> Any:
    from otonom_trader import testnet as venue

    name, separator, file = text.partition("=")
    if not separator:
        raise ValueError(f"public key {text!r} is not KEY=FILE")
    try:
        return venue.KeyConfig(name, public_key=Path(file).read_text("ascii"))
    except OSError as missing:
        raise ValueError(f"{file}: {missing.strerror}") from None


def _until_signalled(work: Coroutine[Any, Any, None]) -> None:
    async def serve() -> None:
        task = asyncio.current_task()
        if task is not None:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await work

    asyncio.run(serve())
