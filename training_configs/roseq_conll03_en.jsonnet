// RoSeq on CoNLL-2003 English.
// The paper's Table III has test F1 91.42, with the epoch chosen by test F1; here development F1 chooses it.
// Vectors: GloVe 6B, 100-d, fixed, as in the paper.
//
//   roseq train training_configs/roseq_conll03_en.jsonnet -s runs/roseq_conll03_en
local corpus = import 'lib/corpus.libsonnet';

local vectors = 'glove-6b-100d';  // or 'learned', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('conll2003-en', vectors, { calibrated: true })
