package dev.paloverde.gpu.decode;

import java.util.ArrayList;
import java.util.List;

/**
 * Proposes what a smaller model would choose, with the very noise of the token's position: the more alike the two laws,
 * the likelier the same choice. One token after the other, for all sequences together. After a rejection or a preemption
 * it first computes what its cache lacks.
 *
 * <p>Where the rule is rejection, it draws with noise of its own instead, and keeps what the laws can be told from.
 */
final class ModelDrafter implements Drafter {
    private final DraftModel model;
    private final SaguaroSampling saguaro;
    private final double[] law;
    private final Sampler recalling;

    ModelDrafter(DraftModel model, Speculation speculation) {
        this.model = model;
        boolean rejection = speculation.rule() == Speculation.Rule.REJECTION;
        this.saguaro = rejection ? new SaguaroSampling(speculation) : null;
        this.law = new double[rejection ? model.vocabulary() : 0];
        this.recalling = rejection ? new Sampler(model.vocabulary()) : null;
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
        extendOnDevice(active, counts, branches);
        while (!active.isEmpty()) {
            model.advance(active, DraftModel.lastPositions(active), this::extend);
            active.clear();
            for (int i = 0; i < counts.length; i++) {
                Branch branch = branches.get(i);
                GenerationSequence sequence = branch.sequence();
                int proposed = branch.length() - sequence.length();
                boolean going = !model.proposes(sequence) && branch.computed() == branch.length() - 1 && proposed > 0;
                if (going
                        && proposed < wanted(sequence, counts[i])
                        && !sequence.ends(branch.token(branch.length() - 1))) {
                    active.add(branch);
                }
            }
        }
        for (Branch branch : branches) {
            branch.sequence().drafted(branch.computed());
            branch.sequence().propose(branch.own(), GenerationSequence.Origin.DRAFT, law(branch));
        }
    }

    /** Lets the device extend the branches that it can, and takes them out of those that are left to do. */
    private void extendOnDevice(List<Branch> active, int[] counts, List<Branch> branches) {
        List<Branch> able = new ArrayList<>();
        List<Integer> wanted = new ArrayList<>();
        for (int i = 0; i < counts.length; i++) {
            GenerationSequence sequence = branches.get(i).sequence();
            if (model.proposes(sequence) && wanted(sequence, counts[i]) > 0) {
                able.add(branches.get(i));
                wanted.add(wanted(sequence, counts[i]));
            }
        }
        if (!able.isEmpty()) {
            model.extend(able, wanted.stream().mapToInt(Integer::intValue).toArray());
            active.removeIf(branch -> model.proposes(branch.sequence()));
        }
    }

    /** As many as asked for, but no position that the draft model does not have. */
    private int wanted(GenerationSequence sequence, int count) {
        return Math.min(count, model.context() - sequence.length() + 1);
    }

    /** Appends what the draft model would choose; nothing where its logits are not numbers. */
    void extend(Branch branch, int position, float[] logits, int from) {
        if (saguaro != null) {
            draw(branch, position, logits, from);
            return;
        }
        int token =
                model.sampler().propose(logits, from, branch.sampling(), branch.noise(), branch.seen(), position + 1);
        if (token >= 0) {
            branch.append(token);
        }
    }

    private void draw(Branch branch, int position, float[] logits, int from) {
        if (model.sampler().law(logits, from, branch.sampling(), branch.seen(), law)) {
            saguaro.rescale(law, branch.drawn());
            int token = Rejection.draw(law, branch.noise().uniform(RowNoise.Purpose.DRAFT, position + 1));
            branch.drawn(model.state(), law[token]);
            branch.append(token);
        }
    }

    /** {@return what the engine's thread is to verify a branch's tokens with; they are certain where the rule does not ask} */
    DraftLaw law(Branch branch) {
        if (saguaro == null) {
            return DraftLaw.CERTAIN;
        }
        double[] chances = branch.chances();
        List<float[]> states = branch.states();
        Sampling sampling = branch.sampling();
        return new DraftLaw() {
            @Override
            public double chance(int index) {
                return chances[index];
            }

            @Override
            public void fill(int index, int token, SeenTokens seen, double[] out) {
                recalling.law(model.recall(states.get(index)), 0, sampling, seen, out);
                saguaro.rescale(out, index);
            }
        };
    }

    @Override
    public void close() {
        model.close();
    }
}
