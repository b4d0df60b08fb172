import argparse

from roseq_allennlp.commands.command import Command, add_cuda_device

TOKEN_VARIABLE = "ROSEQ_SERVE_TOKEN"


class ServeCommand(Command):
    """`serve ARCHIVE …`: tags texts that are sent over HTTP."""

    description = (
        "Tag texts that are sent over HTTP, on a page in the browser, and for Label Studio. It answers this machine alone"
        " unless --host says otherwise; with --token-file, or the environment variable"
        f" {TOKEN_VARIABLE}, only those who send the token. Ctrl-C or SIGTERM stops it once what it has accepted is"
        " answered."
    )
    example = "roseq serve runs/wnut17\nroseq serve base=runs/base/model.tar.gz runs/roseq --port 8080"
    opens_archives = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "archives",
            nargs="+",
            metavar="ARCHIVE",
            help="model.tar.gz, the directory of a run, or hf://USER/MODEL; NAME=ARCHIVE gives it another name than its"
            " folder's. The first is the default",
        )
        parser.add_argument("--host", default="127.0.0.1", metavar="HOST", help="address to listen at")
        parser.add_argument("--port", type=int, default=8000, metavar="N", help="0 takes a free one")
        parser.add_argument("--token-file", metavar="FILE", help="holds the token that clients must send")
        parser.add_argument(
            "--wait", type=float, default=2, metavar="MS", help="milliseconds that a request waits for others"
        )
        parser.add_argument("--queue", type=int, default=256, metavar="N", help="requests that wait at most")
        parser.add_argument("--time-limit", type=float, default=30, metavar="S", help="seconds for a request")
        parser.add_argument("--max-body", type=int, default=2**20, metavar="BYTES", help="largest body of a request")
        parser.add_argument("--max-text", type=int, default=100_000, metavar="N", help="characters of a text at most")
        add_cuda_device(parser)
