// RoSeq with the additions of `best` (lib/corpora.libsonnet) on CoNLL-2003 English: three taggers side by side, decoded
// as one, trained on variants of the sentences too. It has not been measured on this corpus; docs/results.md has its
// gains on the others and what else was tried.
// Vectors: GloVe 6B, 100-d, fixed, as in the paper.
//
//   roseq train training_configs/best_conll03_en.jsonnet -s runs/best_conll03_en
local corpus = import 'lib/corpus.libsonnet';

local vectors = 'glove-6b-100d';  // or 'learned', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('conll2003-en', vectors, best=true)
