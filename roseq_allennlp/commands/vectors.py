import argparse
from collections.abc import Iterator

from allennlp.common.checks import ConfigurationError

from roseq_allennlp.console import Console
from roseq_allennlp.data.documents import Tally
from roseq_allennlp.data.spellings import Spellings
from roseq_allennlp.data.tokenizers import SpacyTokenizer
from roseq_allennlp.data.vector_files import write_vectors
from roseq_allennlp.data.word_keys import word_key
from roseq_allennlp.experiments.text_vectors import learn_vectors
from roseq_allennlp.modules.word_encoder import WordEncoder, vectors_of_words
from roseq_allennlp.predictors.inputs import Layout, local_path, rows


def run(args: argparse.Namespace, console: Console) -> int:
    """Writes word vectors by a pretrained encoder; with `--text`, learned from the text."""
    encoder, *texts = ["", *args.inputs] if args.text else args.inputs
    if not texts:
        raise ConfigurationError("give an encoder and text: roseq vectors ENCODER TEXT -o FILE; or --text TEXT.")
    if args.dim < 1 or args.epochs < 1:
        raise ConfigurationError(f"--dim and --epochs must be at least 1; got {args.dim} and {args.epochs}.")
    paths = [(local_path(text), text) for text in texts]  # a missing file is an error before the work
    notes = Tally()
    sentences = [
        sentence for path, name in paths for sentence in _sentences(path, name, args.input_format, args.language, notes)
    ]
    if str(notes):
        console.say(str(notes))
    spellings = Spellings()
    for sentence in sentences:
        spellings.add(sentence)
    if not spellings.by_word:
        raise ConfigurationError(f"{', '.join(texts)}: there are no words in the text.")
    if args.text:
        keys = [[word_key(word.lower()) for word in sentence] for sentence in sentences]
        words, vectors = learn_vectors(keys, spellings.counts, args.dim, args.epochs, args.seed)
    else:
        words, states = vectors_of_words(WordEncoder(encoder), spellings.by_word, args.dim)
        vectors = states.numpy()
    write_vectors(args.output, words, vectors)
    console.print(f"{len(words)} words of {args.dim} dimensions are in {args.output}")
    console.print(f"Train with them: vectors.fixed('{args.output}', {args.dim})")
    return 0


def _sentences(path: str, name: str, kind: str, language: str, notes: Tally) -> Iterator[list[str]]:
    tokenizer = None
    for row in rows(path, name, kind, Layout(), notes):
        item = row.item if isinstance(row.item, dict) else {}
        if isinstance(item.get("tokens"), list):
            yield [word for word in item["tokens"] if isinstance(word, str)]
            continue
        text = item.get("text", item.get("sentence"))
        if not isinstance(text, str):
            notes.add("rows without text left out", row.where)
            continue
        tokenizer = tokenizer or SpacyTokenizer(language)
        try:
            yield [token.text for token in tokenizer(text) if not token.is_space]
        except ValueError:
            notes.add("rows that are no text left out", row.where)
