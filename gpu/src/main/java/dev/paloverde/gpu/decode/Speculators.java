package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;

/** Makes the strategy of an engine, and says beforehand what it takes. */
final class Speculators {
    private final LoadedModel loaded;
    private final EngineOptions options;
    private final Speculation speculation;

    Speculators(LoadedModel loaded, EngineOptions options, Speculation speculation) {
        this.loaded = loaded;
        this.options = options;
        this.speculation = speculation;
        if (speculation.needsDraftModel()) {
            requireDraft();
        } else if (speculation.strategy() == Speculation.Strategy.SSD) {
            throw invalid("strategy is SSD and drafter LOOKUP: a lookup takes no time, so there is nothing to do ahead;"
                    + " set strategy=speculative, or drafter=model or both");
        }
        if (speculation.changesResults() && options.stepTokens() <= speculation.tokens()) {
            throw invalid(
                    "step-tokens is %d; with rule=rejection a sequence brings %d rows to a step: raise step-tokens"
                            .formatted(options.stepTokens(), speculation.tokens() + 1));
        }
    }

    private void requireDraft() {
        if (loaded.draft() == null) {
            throw invalid("drafter is %s and no draft model was loaded; name one, or set drafter=lookup"
                    .formatted(speculation.drafter()));
        }
        int theirs = loaded.draft().model().vocabulary();
        int ours = loaded.model().vocabulary();
        if (theirs != ours) {
            throw new PaloverdeException(
                    ErrorCode.TOKENIZER_MISMATCH,
                    "the draft model has a vocabulary of %d tokens and the model one of %d; take a draft model of the same family"
                            .formatted(theirs, ours));
        }
    }

    private static PaloverdeException invalid(String message) {
        return new PaloverdeException(ErrorCode.INVALID_OPTION, message);
    }

    /** {@return memory that a page of the engine's cache takes in the drafter's besides, in bytes} */
    long bytesPerPage() {
        if (!speculation.needsDraftModel()) {
            return 0;
        }
        long bytes = loaded.draft().model().kvLayout(options.pageTokens()).elementsPerPage()
                * loaded.draft().kernels().cacheElementBytes();
        return speculation.strategy() == Speculation.Strategy.SSD ? bytes + bytes / 2 : bytes;
    }

    /** {@return how many rows of a step tokens may be chosen from} */
    int sampledRows() {
        boolean plain = speculation.strategy() == Speculation.Strategy.AUTOREGRESSIVE;
        long rows = options.maxSequences() * (plain ? 1L : 1L + speculation.tokens());
        return (int) Math.min(rows, Math.max(options.stepTokens(), options.maxSequences()));
    }

    /** {@return how proposed tokens are accepted; null for the coupled rule} */
    Rejection rejection() {
        return speculation.changesResults() ? new Rejection(loaded.model().vocabulary()) : null;
    }

    /** @param pages of the engine's cache */
    Speculator create(int pages) {
        return switch (speculation.strategy()) {
            case AUTOREGRESSIVE -> new Autoregressive();
            case SPECULATIVE -> new Speculative(drafter(pages), speculation);
            case SSD -> ssd(pages);
        };
    }

    private Drafter drafter(int pages) {
        return switch (speculation.drafter()) {
            case LOOKUP -> new LookupDrafter();
            case MODEL -> model(pages);
            case BOTH -> new BoundDrafter(model(pages));
        };
    }

    private Ssd ssd(int pages) {
        int scratch = scratchPages(pages);
        DraftModel model = new DraftModel(loaded.draft(), options.pageTokens(), pages + scratch, options.stepTokens());
        SharedThreads threads =
                new SharedThreads(loaded.kernels(), loaded.draft().kernels());
        return new Ssd(model, new ScratchPages(pages, scratch, options.pageTokens()), threads, speculation);
    }

    /** Half as many as the engine has, but enough for all branches of one sequence and no more than for those of all. */
    private int scratchPages(int pages) {
        long perBranch = 2 + speculation.tokens() / options.pageTokens();
        long perSequence = perBranch * speculation.fanOut() * (speculation.tokens() + 1L);
        return (int) Math.min(
                Math.max(pages / 2, perSequence),
                Math.min(perSequence * options.maxSequences(), Integer.MAX_VALUE - 8L - pages));
    }

    private ModelDrafter model(int pages) {
        return new ModelDrafter(
                new DraftModel(loaded.draft(), options.pageTokens(), pages, options.stepTokens()), speculation);
    }
}
