// RoSeq with the additions of `best` (lib/corpora.libsonnet) on WNUT-2016: three taggers side by side, decoded as one,
// trained on variants of the sentences too. Test F1 45.79 (two seeds), RoSeq 43.38, its base model 41.31;
// docs/results.md has what else was tried.
// Vectors: GloVe 6B, 100-d, fixed, as in the paper.
//
//   roseq train training_configs/best_wnut16.jsonnet -s runs/best_wnut16
local corpus = import 'lib/corpus.libsonnet';

local vectors = 'glove-6b-100d';  // or 'learned', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('wnut16', vectors, best=true)
