package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.kernels.Kernels;

/**
 * The CPU threads of a model and of the one that drafts for it. Whoever computes alone has all of them; while both do, the
 * smaller model has a quarter.
 */
final class SharedThreads {
    private final Kernels target;
    private final Kernels draft;

    SharedThreads(Kernels target, Kernels draft) {
        this.target = target;
        this.draft = draft;
    }

    /** Both compute at the same time from now on. */
    void together() {
        int all = Math.min(target.threads(), draft.threads());
        if (all > 1) {
            int drafting = Math.max(1, all / 4);
            target.limitThreads(all - drafting);
            draft.limitThreads(drafting);
        }
    }

    /** One of them computes at a time from now on. */
    void alone() {
        target.limitThreads(target.threads());
        draft.limitThreads(draft.threads());
    }
}
