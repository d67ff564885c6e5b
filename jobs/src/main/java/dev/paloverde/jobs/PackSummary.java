package dev.paloverde.jobs;

import dev.paloverde.pipelines.packing.FlopLedger;
import dev.paloverde.pipelines.packing.Mixture;
import dev.paloverde.pipelines.packing.Packing;
import java.util.List;

/**
 * What packing did, for machines. {@code sequences x context = text + visual + padding tokens}.
 *
 * @param tokenizer the model whose tokenizer it is
 * @param context length of a sequence
 * @param documents documents that went in
 * @param refused those that cannot be packed, by reason
 * @param mixture what each source gives
 * @param packedDocuments copies of documents in the sequences
 * @param pieces pieces of them
 * @param sequences how many there are
 * @param shards how many files
 * @param textTokens positions that hold tokens
 * @param visualTokens positions that hold latents
 * @param trained positions that are to be learnt
 * @param padding positions that hold nothing
 * @param paddingShare those over all positions
 * @param ledger operations of training on it once, by model
 */
record PackSummary(
        String tokenizer,
        int context,
        long documents,
        List<Refused> refused,
        List<Mixture.Share> mixture,
        long packedDocuments,
        long pieces,
        long sequences,
        int shards,
        long textTokens,
        long visualTokens,
        long trained,
        long padding,
        double paddingShare,
        List<FlopLedger> ledger) {

    /** The file with the {@link Shard}s, beside the summary. */
    static final String MANIFEST = "shards.json";

    /**
     * Documents that cannot be packed.
     *
     * @param reason a name of {@link dev.paloverde.pipelines.packing.Tokens.Refusal}
     * @param documents how many
     */
    record Refused(String reason, long documents) {}

    /**
     * One file of sequences.
     *
     * @param shard its number
     * @param path where it is, below the output
     * @param bytes its size
     * @param sha256 of its bytes, which are others in each run: see {@link Packing#digests}
     * @param content a number that is the same in each run for the same sequences
     * @param sequences in it
     * @param padding positions in it that hold nothing
     * @param contents what else is in it, by source and objective
     */
    record Shard(
            int shard,
            String path,
            long bytes,
            String sha256,
            String content,
            long sequences,
            long padding,
            List<Packing.Content> contents) {}
}
