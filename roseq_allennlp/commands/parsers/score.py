import argparse

from roseq_allennlp.commands.command import Command


class ScoreCommand(Command):
    """`score [FILE]`: prints what `conlleval` prints, and more with `--surface` and `--json`."""

    description = (
        "Score tagged sentences as conlleval does. Each line holds a token's columns, the last two of them the gold and"
        " the predicted tag; sentences end with an empty line. Tags are IOB1, IOB2 or BIOES; a gold tag may be ?,"
        " unknown: its token, and predicted entities with it, are left out."
    )
    example = "roseq score tagged.conll\nroseq score tagged.conll --surface --json"
    needs_allennlp = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", metavar="FILE", help="standard input if left out or -")
        parser.add_argument("--surface", action="store_true", help="WNUT-2017's F1 over distinct surface forms too")
        parser.add_argument("--json", action="store_true", help="print all scores as one line of JSON")
