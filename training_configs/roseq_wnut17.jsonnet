// RoSeq on WNUT-2017.
// The paper's Table III has test F1 43.03, with the epoch chosen by test F1; here development F1 chooses it.
// Vectors: GloVe 6B, 100-d, fixed, as in the paper.
//
//   roseq train training_configs/roseq_wnut17.jsonnet -s runs/roseq_wnut17
local corpus = import 'lib/corpus.libsonnet';

local vectors = 'glove-6b-100d';  // or 'learned', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('wnut17', vectors, { calibrated: true })
