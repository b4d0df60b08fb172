"""
RoSeq for AllenNLP. Importing the package registers its components, so `--include-package roseq_allennlp` is all a
config needs; `load` opens a trained archive.

Only the program `roseq` (or `python -m roseq_allennlp`) puts this off, as AllenNLP takes seconds to import: it imports
`roseq_allennlp.registration` itself, for the commands that need it.
"""

import os
import sys


def _is_minus_m() -> bool:
    """Whether this is `python -m roseq_allennlp`, which imports the package before it runs `__main__`."""
    return sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)] in ("roseq_allennlp", "-mroseq_allennlp")


def _is_script() -> bool:
    """Whether this is the console script, and not a process that it has started: there `__main__` is another file."""
    return os.path.basename(getattr(sys.modules["__main__"], "__file__", None) or "") == "roseq"


if _is_minus_m() and sys.path[:1] == [os.getcwd()] != [os.path.dirname(os.path.dirname(__file__))]:
    # `-m` puts the working directory first on the path of imports, where no code of others must be found.
    del sys.path[0]

if not _is_minus_m() and not _is_script():
    from roseq_allennlp.registration import load as load
