// RoSeq on WNUT-2016.
// The paper's Table III has test F1 52.94, with the epoch chosen by test F1; here development F1 chooses it.
// Vectors: GloVe 6B, 100-d, fixed, as in the paper.
//
//   roseq train training_configs/roseq_wnut16.jsonnet -s runs/roseq_wnut16
local corpus = import 'lib/corpus.libsonnet';

local vectors = 'glove-6b-100d';  // or 'learned', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('wnut16', vectors, { calibrated: true })
