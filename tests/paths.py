"""All tag paths of a sentence, one by one."""

import math

import torch
from allennlp.modules.conditional_random_field.conditional_random_field import allowed_transitions

from roseq_allennlp.data.tag_schemes import bioul_to_bioes


def allowed_paths(tagger, words):
    """The probability of each path that decoding may choose, by the tags of it (BIOES): one term after the other."""
    model = tagger._model
    labels = model.vocab.get_index_to_token_vocabulary("labels")
    count = len(labels)
    allowed = set(allowed_transitions("BIOUL", labels))
    instance = tagger._dataset_reader.text_to_instance(words)
    tagger._dataset_reader.apply_token_indexers(instance)
    with torch.no_grad():
        emissions = model.forward_on_instance(instance)["emissions"]
    transitions, weights = model.crf.transitions.tolist(), model.crf.label_weights.tolist()
    paths = [
        ((first,), weights[first] * float(emissions[0][first])) for first in range(count) if (count, first) in allowed
    ]
    for row in emissions[1:]:
        paths = [
            ((*path, tag), score + transitions[path[-1]][tag] + weights[tag] * float(row[tag]))
            for path, score in paths
            for tag in range(count)
            if (path[-1], tag) in allowed
        ]
    paths = [(path, score) for path, score in paths if (path[-1], count + 1) in allowed]
    top = max(score for _, score in paths)
    total = sum(math.exp(score - top) for _, score in paths)
    names = bioul_to_bioes([labels[index] for index in range(count)])
    return {tuple(names[tag] for tag in path): math.exp(score - top) / total for path, score in paths}
