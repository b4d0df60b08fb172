// RoSeq on CoNLL-2002 Dutch.
// The paper's Table III has test F1 88.07, with the epoch chosen by test F1; here development F1 chooses it.
// The paper's 50-d Wikipedia vectors have no lasting address, so words are learned with the model, 50-d.
//
//   roseq train training_configs/roseq_conll02_nl.jsonnet -s runs/roseq_conll02_nl
local corpus = import 'lib/corpus.libsonnet';

local vectors = 'learned';  // or 'fasttext-cc-nl', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('conll2002-nl', vectors, { calibrated: true })
