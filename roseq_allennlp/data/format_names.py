"""Names of formats and of what is done with them, for help, which does not import the formats themselves."""

FORMAT_NAMES = ("doccano", "prodigy", "label-studio", "brat", "spacy", "hf", "conllu", "columns")
"""What `roseq convert` reads and writes: the keys of `formats.FORMATS`."""

OUTPUT_FORMATS = ("jsonl", "columns", "doccano", "prodigy", "label-studio", "brat", "spacy")
"""What `roseq predict` writes."""

INPUT_FORMATS = ("jsonl", "text", "documents", "columns")
"""What `roseq predict` reads."""

MISALIGNED = ("expand", "skip", "error")
"""What may be done with a span that cuts a token."""
