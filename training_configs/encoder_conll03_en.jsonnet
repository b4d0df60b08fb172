// RoSeq on CoNLL-2003 English, on the features of an encoder, which is not trained: a learned mix of its layers, computed once.
// The paper's Table III has test F1 91.42 with word vectors, with the epoch chosen by test F1; here development F1 chooses it.
//
//   roseq train training_configs/encoder_conll03_en.jsonnet -s runs/encoder_conll03_en
local encoder = 'intfloat/multilingual-e5-small';  // a name of the Hugging Face hub, or a folder
local best = false;  // true: three taggers, decoded as one, which train on variants of the sentences too

local corpus = import 'lib/corpus.libsonnet';
local vectors = import 'lib/vectors.libsonnet';

corpus('conll2003-en', vectors.transformer(encoder), best=best)
