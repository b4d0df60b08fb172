// RoSeq on CoNLL-2002 Dutch, on the features of an encoder, which is not trained: a learned mix of its layers, computed once.
// Test F1 88.51, of its base model on the same features 88.11 (one seed).
// The paper's Table III has test F1 88.07 with word vectors, with the epoch chosen by test F1; here development F1 chooses it.
//
//   roseq train training_configs/encoder_conll02_nl.jsonnet -s runs/encoder_conll02_nl
local encoder = 'intfloat/multilingual-e5-small';  // a name of the Hugging Face hub, or a folder
local best = false;  // true: three taggers, decoded as one, which train on variants of the sentences too

local corpus = import 'lib/corpus.libsonnet';
local vectors = import 'lib/vectors.libsonnet';

corpus('conll2002-nl', vectors.transformer(encoder), best=best)
