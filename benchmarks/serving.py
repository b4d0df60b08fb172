"""
`roseq serve` under load, on the loopback interface of one machine: server and clients share its cores.

    python -m benchmarks.serving ARCHIVE

Clients send a sentence of WNUT-2017's test file, wait for the answer, check it, and send the next one. Measured are requests a
second and the time from request to answer, by number of clients and with two waits; then minutes at the highest
load, with the server's memory; then steady clients beside ones that leave, are slow, or send what is no request. It writes
results/serving.md unless it is shortened.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from roseq_allennlp.commands.table import command as command_named
from roseq_allennlp.data.corpora import resolve
from roseq_allennlp.tables import markdown

RESULTS = Path(__file__).parent / "results"
CLIENTS = (1, 16, 64)
CHOSEN = command_named("serve").parser().get_default("wait")  # ms
WAITS = (0.0, CHOSEN, 5.0)
PAUSE = 0.1  # seconds between what one of the others does and the next
RANDOM_BODIES = 10_000


@dataclass
class Load:
    """What some clients have met with."""

    seconds: list[float] = field(default_factory=list)  # of each answer
    lost: Counter = field(default_factory=Counter)  # by what came in place of the right answer
    began: float = field(default_factory=time.perf_counter)
    took: float = 0.0

    def quantile(self, share: float) -> float:
        """In milliseconds."""
        values = sorted(self.seconds)
        return 1000 * values[min(int(share * len(values)), len(values) - 1)] if values else float("nan")

    def cells(self) -> list[Any]:
        rate = len(self.seconds) / self.took
        return [f"{rate:.0f}", f"{self.quantile(0.5):.1f}", f"{self.quantile(0.99):.1f}", sum(self.lost.values())]


@dataclass
class Server:
    """A running server."""

    port: int
    process: psutil.Process

    def memory(self) -> float:
        """Resident, in MiB."""
        return float(self.process.memory_info().rss) / 2**20

    def used(self) -> list[float]:
        """Seconds of CPU, requests that were tagged, and batches, since it began."""
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"http://127.0.0.1:{self.port}/metrics"
        ) as page:
            text = page.read().decode()
        counts = [re.search(rf"(?m)^roseq_batch_requests_{name}{{.*}} (.*)$", text) for name in ("sum", "count")]
        times = self.process.cpu_times()
        return [times.user + times.system, *(float(count[1]) if count else 0.0 for count in counts)]


@contextlib.contextmanager
def running(archive: str, wait: float) -> Iterator[Server]:
    """A server of an archive, on one thread, until the end; it must then stop with the status of SIGTERM."""
    command = [sys.executable, "-m", "roseq_allennlp", "serve", archive, "--port", "0", "--wait", str(wait)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    try:
        address = re.search(r":(\d+)/", process.stderr.readline())
        assert address is not None, process.stderr.read()
        yield Server(int(address[1]), psutil.Process(process.pid))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
        assert process.stderr.read().endswith("roseq serve: stopped.\n")
    finally:
        process.kill()
        process.wait()


def sentences() -> list[str]:
    """Those of the test file, as texts."""
    blocks = Path(resolve("corpus://wnut17/test")).read_text(encoding="utf-8").split("\n\n")
    texts = (" ".join(line.split("\t")[0] for line in block.splitlines() if line.strip()) for block in blocks)
    return [text for text in texts if text]


def request(body: bytes) -> bytes:
    head = f"POST /v1/tag HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return int(head.split(b" ", 2)[1]), await reader.readexactly(int(length[1]) if length else 0)


async def client(port: int, texts: list[str], load: Load, end: asyncio.Event) -> None:
    """One that asks, waits for the answer and asks again, over one connection for as long as that stays open."""
    connection: Any = None
    random_texts = random.Random(id(load))
    while not end.is_set():
        text = random_texts.choice(texts)
        started = time.perf_counter()
        try:
            connection = connection or await asyncio.open_connection("127.0.0.1", port)
            reader, writer = connection
            writer.write(request(json.dumps({"text": text}).encode()))
            status, body = await response(reader)
        except (OSError, asyncio.IncompleteReadError) as error:
            load.lost[type(error).__name__] += 1
            connection = None
            continue
        if status != 200:
            load.lost[str(status)] += 1
        elif "".join(json.loads(body)["answers"][0]["words"]) != "".join(text.split()):
            load.lost["answer to another text"] += 1
        else:
            load.seconds.append(time.perf_counter() - started)
    if connection is not None:
        connection[1].close()


@contextlib.asynccontextmanager
async def steady(port: int, texts: list[str], clients: int) -> AsyncIterator[Load]:
    """That many clients, until the end; they get the answers that they wait for then."""
    load, end = Load(), asyncio.Event()
    tasks = [asyncio.ensure_future(client(port, texts, load, end)) for _ in range(clients)]
    try:
        yield load
    finally:
        load.took = time.perf_counter() - load.began
        end.set()
        await asyncio.gather(*tasks)


async def measured(port: int, texts: list[str], clients: int, seconds: float) -> Load:
    async with steady(port, texts, clients) as load:
        await asyncio.sleep(seconds)
    return load


async def leaving(port: int, texts: list[str], generator: random.Random) -> str:
    """Sends a request, or a part of one, and closes the connection without waiting."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    whole = request(json.dumps({"text": generator.choice(texts)}).encode())
    writer.write(whole[: generator.choice([len(whole), len(whole) // 2])])
    await writer.drain()
    writer.close()
    return "left"


async def slow(port: int, texts: list[str], generator: random.Random) -> str:
    """Sends a request byte by byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for byte in request(json.dumps({"text": generator.choice(texts)[:60]}).encode()):
        writer.write(bytes([byte]))
        await asyncio.sleep(0.02)
    status, _ = await response(reader)
    writer.close()
    return str(status)


async def malformed(port: int, texts: list[str], generator: random.Random) -> str:
    """Sends bytes that are no HTTP."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(generator.randbytes(200) + b"\r\n\r\n")
    status, _ = await response(reader)
    writer.close()
    return str(status)


def random_body(texts: list[str], generator: random.Random) -> bytes:
    """Bytes, a damaged request, or JSON of any kind in the place of what is expected."""
    kind = generator.randrange(3)
    if kind == 0:
        return generator.randbytes(generator.randrange(300))
    if kind == 1:
        body = bytearray(json.dumps({"text": generator.choice(texts), "alternatives": 2}).encode())
        for _ in range(generator.randrange(1, 4)):
            body[generator.randrange(len(body))] = generator.randrange(256)
        return bytes(body)

    def value(depth: int) -> Any:
        simple = [None, True, 0, -1, 10**400, 1e308, float("nan"), "", "\ud800", "\x00", generator.choice(texts)]
        if depth > 3 or generator.random() < 0.6:
            return generator.choice(simple)
        if generator.random() < 0.5:
            return [value(depth + 1) for _ in range(generator.randrange(4))]
        return {str(generator.choice(simple)): value(depth + 1) for _ in range(generator.randrange(4))}

    keys = ["text", "document", "tokens", "model", "min_probability", "review", "alternatives", "x"]
    return json.dumps({key: value(0) for key in generator.sample(keys, generator.randrange(1, 4))}).encode()


async def sending(port: int, texts: list[str], generator: random.Random) -> str:
    """Sends a random body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(random_body(texts, generator)))
    status, body = await response(reader)
    writer.close()
    assert status == 200 or list(json.loads(body)) == ["detail"], body
    return str(status)


async def beside(server: Server, texts: list[str], what: Any, times: int, at_once: int) -> tuple[Load, Counter]:
    """What 16 steady clients meet with while others do `what`, and how often that ended how."""
    generator, ends = random.Random(1), Counter()
    left = iter(range(times))

    async def repeat() -> None:
        for _ in left:
            ends[await what(server.port, texts, generator)] += 1
            if what is not sending:
                await asyncio.sleep(PAUSE)

    async with steady(server.port, texts, 16) as load:
        await asyncio.gather(*(repeat() for _ in range(at_once)))
    return load, ends


def machine_load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def clients_and_waits(archive: str, texts: list[str], seconds: float) -> str:
    rows = []
    for wait in WAITS:
        with running(archive, wait) as server:
            asyncio.run(measured(server.port, texts, 16, 3))  # warms up
            for clients in CLIENTS:
                before = server.used()
                load = asyncio.run(measured(server.port, texts, clients, seconds))
                cpu, requests, batches = (after - value for after, value in zip(server.used(), before, strict=True))
                more = [f"{requests / batches:.1f}", f"{1000 * cpu / requests:.2f}", machine_load()]
                rows.append([f"{wait:g}", clients, *load.cells(), *more])
                print(rows[-1], flush=True)
    headers = ["wait, ms", "clients", *_HEADERS, "requests in a batch", "CPU of the server, ms a request", "load"]
    return markdown(headers, rows)


def others_beside(archive: str, texts: list[str], seconds: float, bodies: int) -> str:
    others = [("clients that leave", leaving, 500, 4), ("slow ones", slow, 32, 8)]
    others += [("what is no HTTP", malformed, 500, 4), (f"{bodies} random bodies", sending, bodies, 4)]
    rows = []
    with running(archive, CHOSEN) as server:
        asyncio.run(measured(server.port, texts, 16, 3))
        load = asyncio.run(measured(server.port, texts, 16, seconds))
        rows.append(["nobody else", *load.cells(), "", machine_load()])
        for name, what, times, at_once in others:
            load, ends = asyncio.run(beside(server, texts, what, times, at_once))
            ended = ", ".join(f"{end} {ends[end]}" for end in sorted(ends))
            rows.append([name, *load.cells(), ended, machine_load()])
            print(rows[-1], flush=True)
    return markdown(["16 steady clients beside", *_HEADERS, "how the others ended", "load"], rows)


def long_run(archive: str, texts: list[str], minutes: float) -> str:
    rows = []
    with running(archive, CHOSEN) as server:
        asyncio.run(measured(server.port, texts, max(CLIENTS), 10))
        for part in range(3):
            at_start = server.memory()
            load = asyncio.run(measured(server.port, texts, max(CLIENTS), minutes * 20))
            memory = f"{at_start:.0f} to {server.memory():.0f}"
            between = f"{minutes * part / 3:.1f} to {minutes * (part + 1) / 3:.1f}"
            rows.append([between, len(load.seconds), *load.cells(), memory, machine_load()])
            print(rows[-1], flush=True)
    return markdown(["minutes", "answers", *_HEADERS, "memory, MiB", "load"], rows)


_HEADERS = ("requests a second", "50th, ms", "99th, ms", "lost")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", metavar="ARCHIVE", type=Path)
    parser.add_argument("--only", nargs="+", choices=("clients", "others", "long"), help="what is measured anew")
    parser.add_argument("--seconds", type=float, default=20, help="of each row of the first table")
    parser.add_argument("--minutes", type=float, default=10, help="at the highest load")
    parser.add_argument("--bodies", type=int, default=RANDOM_BODIES, help="random ones")
    args = parser.parse_args()
    output = Path("runs/benchmarks") if args.minutes < 10 or args.bodies < RANDOM_BODIES else RESULTS
    output.mkdir(parents=True, exist_ok=True)
    page, texts, archive = output / "serving.md", sentences(), str(args.archive)
    measures = {
        "clients": ("Clients and waits", lambda: clients_and_waits(archive, texts, args.seconds)),
        "others": ("Others beside", lambda: others_beside(archive, texts, args.seconds, args.bodies)),
        "long": (
            f"{args.minutes:g} minutes with {max(CLIENTS)} clients",
            lambda: long_run(archive, texts, args.minutes),
        ),
    }
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    tables = dict(re.findall(r"(?ms)^## (.*?)\n\n(.*?)\n*(?=^## |\Z)", before))
    for title, measure in (measures[name] for name in args.only or measures):
        tables[title] = measure().rstrip("\n")
        parts = "\n\n".join(f"## {name}\n\n{tables[name]}" for name, _ in measures.values() if name in tables)
        size = f"{args.archive.stat().st_size / 2**20:.0f}"
        page.write_text(_PAGE.format(cores=os.cpu_count(), size=size, parts=parts), encoding="utf-8")


_PAGE = """# The server under load

`python -m benchmarks.serving ARCHIVE`, on the loopback interface of a machine with {cores} cores, which server and clients
share; an archive of {size} MB; one thread. "Load" is the machine's load average over a minute at the end of the row: what is
above 2 is work of others, which takes its share of the cores; the server's own CPU time hardly depends on it. "Lost" counts requests without the right answer. Times are from request to answer, in milliseconds.

{parts}
"""


if __name__ == "__main__":
    main()
