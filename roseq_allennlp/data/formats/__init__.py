"""The formats that labelled documents are read from and written to, by name."""

from roseq_allennlp.data.formats import (
    brat,
    columns,
    conllu,
    doccano,
    hf_dataset,
    label_studio,
    prodigy,
    spacy_docbin,
)
from roseq_allennlp.data.formats.format import Format as Format
from roseq_allennlp.data.formats.format import ReadOptions as ReadOptions
from roseq_allennlp.data.formats.recognition import format_of_output as format_of_output
from roseq_allennlp.data.formats.recognition import recognised as recognised

FORMATS: dict[str, Format] = {
    "doccano": Format(doccano.read, doccano.write, needs_tokens=False, is_lines=True, extension=".jsonl"),
    "prodigy": Format(prodigy.read, prodigy.write, needs_tokens=False, is_lines=True, extension=".jsonl"),
    "label-studio": Format(label_studio.read, label_studio.write, needs_tokens=False, is_lines=True, extension=".json"),
    "brat": Format(brat.read, brat.write, needs_tokens=False, is_lines=False, extension=""),
    "spacy": Format(spacy_docbin.read, spacy_docbin.write, needs_tokens=True, is_lines=False, extension=".spacy"),
    "hf": Format(hf_dataset.read, hf_dataset.write, needs_tokens=True, is_lines=True, extension=".jsonl"),
    "conllu": Format(conllu.read, conllu.write, needs_tokens=True, is_lines=True, extension=".conllu"),
    "columns": Format(columns.read, columns.write, needs_tokens=True, is_lines=True, extension=".conll"),
}
"""By the names that `roseq convert` and `roseq predict --output-format` take."""
