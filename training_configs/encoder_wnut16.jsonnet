// RoSeq on WNUT-2016, on the features of an encoder, which is not trained: a learned mix of its layers, computed once.
// Test F1 49.46, of its base model on the same features 48.79 (three seeds); with `best` 52.13 (one seed).
// The paper's Table III has test F1 52.94 with word vectors, with the epoch chosen by test F1; here development F1 chooses it.
//
//   roseq train training_configs/encoder_wnut16.jsonnet -s runs/encoder_wnut16
local encoder = 'intfloat/multilingual-e5-small';  // a name of the Hugging Face hub, or a folder
local best = false;  // true: three taggers, decoded as one, which train on variants of the sentences too

local corpus = import 'lib/corpus.libsonnet';
local vectors = import 'lib/vectors.libsonnet';

corpus('wnut16', vectors.transformer(encoder), best=best)
