/**
 * The data of the embedded default and what makes it. {@link dev.paloverde.data.SampleCorpus} writes the sample corpus
 * under {@code data/corpus} (its words come from {@code text}, its pictures from {@code picture}), and on demand a
 * training corpus of any size that shares no document with it. The two tiny models under {@code data/models} were trained
 * on such a corpus by {@code data/recipe/train.py}.
 *
 * <p>Both folders travel in this module's jar; {@link dev.paloverde.data.ContentIndex} lists what they hold, since a class
 * path cannot be listed.
 */
package dev.paloverde.data;
