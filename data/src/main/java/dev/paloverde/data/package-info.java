/**
 * The data of the embedded default and what makes it. {@link dev.paloverde.data.SampleCorpus} writes the sample corpus
 * under {@code data/corpus}, and on demand a training corpus of any size that shares no document with it. The two tiny
 * models under {@code data/models} were trained on such a corpus by {@code data/recipe/train.py}.
 */
package dev.paloverde.data;
