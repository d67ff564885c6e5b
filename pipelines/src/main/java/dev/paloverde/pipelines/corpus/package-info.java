/**
 * What makes a training corpus of many documents: Dataset in, Dataset out.
 *
 * <p>The tour: texts are compared by their {@code Words}, a form without case, punctuation and spacing.
 * {@link dev.paloverde.pipelines.corpus.Deduplication} finds documents that stand in the corpus already. It drops those
 * that say the same, and hands the rest to {@code NearDuplicates}: {@link dev.paloverde.pipelines.corpus.MinHash} gives
 * each text a signature, each band of a signature a bucket, each bucket pairs, which
 * {@link dev.paloverde.pipelines.corpus.Verification} may look at; and
 * {@link dev.paloverde.pipelines.corpus.Components} makes clusters of pairs. Each step is a sort and one pass over it
 * that remembers a row or two, so neither a bucket nor a cluster is ever in memory as a whole.
 *
 * <p>What texts mean is compared by {@link dev.paloverde.pipelines.corpus.EmbeddingDuplicates}: {@code Hyperplanes} give each
 * embedding buckets, buckets pairs, which are looked at, and pairs clusters as above. How far whole sets of texts are from each
 * other says {@link dev.paloverde.pipelines.corpus.TextDistance}.
 *
 * <p>What a text is worth: {@link dev.paloverde.pipelines.corpus.TextRepair} and
 * {@link dev.paloverde.pipelines.corpus.PersonalData} change it, {@link dev.paloverde.pipelines.corpus.Languages} and
 * {@link dev.paloverde.pipelines.corpus.QualitySignals} are columns,
 * {@link dev.paloverde.pipelines.corpus.QualityRules} judge by the latter, and
 * {@link dev.paloverde.pipelines.corpus.Decontamination} finds parts of evaluation sets in it.
 * Of what is kept, {@link dev.paloverde.pipelines.corpus.RepeatedText} finds passages that stand in it more than once.
 * {@link dev.paloverde.pipelines.corpus.Cleaning} does the first of these to rows and makes documents of them, and
 * {@link dev.paloverde.pipelines.corpus.Ledger} puts together what was found: each row is kept, or rejected for one
 * {@link dev.paloverde.pipelines.corpus.RejectReason}. {@link dev.paloverde.pipelines.corpus.Profile} counts what both are
 * like.
 */
package dev.paloverde.pipelines.corpus;
