// RoSeq on CoNLL-2002 Spanish.
// The paper's Table III has test F1 87.33, with the epoch chosen by test F1; here development F1 chooses it.
// The paper's 50-d Wikipedia vectors have no lasting address, so words are learned with the model, 50-d.
//
//   roseq train training_configs/roseq_conll02_es.jsonnet -s runs/roseq_conll02_es
local corpus = import 'lib/corpus.libsonnet';

local vectors = 'learned';  // or 'fasttext-cc-es', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('conll2002-es', vectors, { calibrated: true })
