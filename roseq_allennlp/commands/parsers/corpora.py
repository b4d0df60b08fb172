import argparse

from roseq_allennlp.commands.command import Command


class CorporaCommand(Command):
    """`corpora list | fetch | verify | stats`: shows, fetches, verifies or counts the catalogue's files."""

    description = (
        "Show the catalogue of corpora and word vectors, fetch or verify their files, count their labels. `list` and"
        " `verify` download nothing."
    )
    example = "roseq corpora list\nroseq corpora fetch wnut17"
    needs_allennlp = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "action",
            choices=["list", "fetch", "verify", "stats"],
            help="list: show the catalogue and where its files are. fetch: download missing files."
            " verify: compare SHA-256 sums. stats: count sentences, tokens, entities and labels of each split",
        )
        parser.add_argument("names", nargs="*", metavar="NAME", help="names in the catalogue; all corpora if left out")
