package dev.paloverde.gpu.decode;

import java.util.ArrayList;
import java.util.List;

/**
 * Proposes what a smaller model would choose, with the very noise of the token's position: the more alike the two laws,
 * the likelier the same choice. One token after the other, for all sequences together. After a rejection or a preemption
 * it first computes what its cache lacks.
 */
final class ModelDrafter implements Drafter {
    private final DraftModel model;

    ModelDrafter(DraftModel model) {
        this.model = model;
    }

    @Override
    public void propose(Round round) {
        int[] counts = round.counts();
        List<Branch> branches = new ArrayList<>();
        List<Branch> active = new ArrayList<>();
        for (int i = 0; i < counts.length; i++) {
            GenerationSequence sequence = round.sequences().get(i);
            sequence.propose(new int[0]);
            Branch branch = Branch.of(sequence, Math.min(sequence.drafted(), sequence.length() - 1));
            branches.add(branch);
            if (wanted(sequence, counts[i]) > 0) {
                active.add(branch);
            }
        }
        while (!active.isEmpty()) {
            model.advance(active, DraftModel.lastPositions(active), this::extend);
            active.clear();
            for (int i = 0; i < counts.length; i++) {
                Branch branch = branches.get(i);
                GenerationSequence sequence = branch.sequence();
                int proposed = branch.length() - sequence.length();
                boolean going = branch.computed() == branch.length() - 1 && proposed > 0;
                if (going
                        && proposed < wanted(sequence, counts[i])
                        && !sequence.ends(branch.token(branch.length() - 1))) {
                    active.add(branch);
                }
            }
        }
        for (Branch branch : branches) {
            branch.sequence().drafted(branch.computed());
            branch.sequence().propose(branch.own());
        }
    }

    /** As many as asked for, but no position that the draft model does not have. */
    private int wanted(GenerationSequence sequence, int count) {
        return Math.min(count, model.context() - sequence.length() + 1);
    }

    /** Appends what the draft model would choose; nothing where its logits are not numbers. */
    void extend(Branch branch, int position, float[] logits, int from) {
        int token =
                model.sampler().propose(logits, from, branch.sampling(), branch.noise(), branch.seen(), position + 1);
        if (token >= 0) {
            branch.append(token);
        }
    }

    @Override
    public void close() {
        model.close();
    }
}
