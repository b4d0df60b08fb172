// RoSeq with the additions of `best` (lib/corpora.libsonnet) on WNUT-2017: three taggers side by side, decoded as one,
// trained on variants of the sentences too. Test F1 41.83 (two seeds), RoSeq 38.57, its base model 35.38;
// docs/results.md has what else was tried.
// Vectors: GloVe 6B, 100-d, fixed, as in the paper.
//
//   roseq train training_configs/best_wnut17.jsonnet -s runs/best_wnut17
local corpus = import 'lib/corpus.libsonnet';

local vectors = 'glove-6b-100d';  // or 'learned', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('wnut17', vectors, best=true)
