// RoSeq with the additions of `best` (lib/corpora.libsonnet) on CoNLL-2002 Dutch: three taggers side by side, decoded
// as one, trained on variants of the sentences too. Test F1 80.24 (two seeds), RoSeq 77.49, its base model 76.44;
// docs/results.md has what else was tried.
// The paper's 50-d Wikipedia vectors have no lasting address, so words are learned with the model, 50-d.
//
//   roseq train training_configs/best_conll02_nl.jsonnet -s runs/best_conll02_nl
local corpus = import 'lib/corpus.libsonnet';

local vectors = 'learned';  // or 'fasttext-cc-nl', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('conll2002-nl', vectors, best=true)
