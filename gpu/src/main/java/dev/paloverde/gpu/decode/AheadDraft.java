package dev.paloverde.gpu.decode;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * The drafting that is done while a step is verified: guesses which tokens will be chosen, and what to propose after each
 * guess. A guess is (sequence, k, t): the first k proposed tokens are chosen and then t, which is not the next of them.
 * One forward pass over a sequence's last token and all that is proposed to it gives the guesses for every k: the tokens
 * that the draft model would choose most readily. From there each guess is a branch, and all branches grow by a token a
 * step, on scratch pages behind the sequence's own.
 *
 * <p>Made by the engine's thread, run by the drafter's. When the outcomes are known, branches of other outcomes are
 * dropped before the next step; what is left is done sooner, being less.
 */
final class AheadDraft {
    /** Guesses are ranked up to here, drafted or not, to know what more of them would bring. */
    static final int RANKS = 16;

    /**
     * How a step ended for a sequence.
     *
     * @param accepted how many proposed tokens were chosen
     * @param token what was chosen after them
     */
    record Outcome(int accepted, int token) {}

    private final DraftModel model;
    private final ModelDrafter drafter;
    private final ScratchPages scratch;
    private final int tokens;
    private final boolean coupled;
    private final Map<GenerationSequence, Trunk> trunks = new IdentityHashMap<>();
    private final List<Branch> branches = new ArrayList<>();
    private final List<Fork> forks = new ArrayList<>();
    private int[] ranked = new int[RANKS + 1];
    private volatile Map<GenerationSequence, Outcome> outcomes;
    private long begin;
    private long end;
    private int steps;
    private int guesses;

    AheadDraft(DraftModel model, ModelDrafter drafter, ScratchPages scratch, Speculation speculation) {
        this.model = model;
        this.drafter = drafter;
        this.scratch = scratch;
        this.tokens = speculation.tokens();
        this.coupled = speculation.rule() == Speculation.Rule.COUPLED;
    }

    /**
     * Adds a sequence as it is, with what is proposed to it. From here on the drafter's cache counts as having all of its
     * positions.
     *
     * @param fanOut [proposed + 1] how many guesses for each number of chosen tokens
     */
    void add(GenerationSequence sequence, int[] fanOut) {
        int last = sequence.length() - 1;
        if (last + sequence.proposed() >= model.context()) {
            return;
        }
        Branch branch = Branch.of(sequence, Math.min(sequence.drafted(), last));
        trunks.put(
                sequence,
                new Trunk(
                        branch,
                        last,
                        sequence.room(),
                        fanOut,
                        new int[fanOut.length][],
                        sequence.origin() == GenerationSequence.Origin.HIT));
        branches.add(branch);
        sequence.drafted(branch.length());
    }

    boolean isEmpty() {
        return branches.isEmpty();
    }

    /** Drafts until all is done. */
    void run() {
        begin = System.nanoTime();
        List<Branch> able = new ArrayList<>();
        List<Branch> others = new ArrayList<>();
        branches.forEach(branch -> (model.proposes(branch.sequence()) ? able : others).add(branch));
        if (!able.isEmpty()) {
            model.rank(able, lastOfTrunks(able), candidates(), this::guess);
            steps++;
        }
        if (!others.isEmpty()) {
            model.advance(others, lastOfTrunks(others), this::guess);
            steps++;
        }
        guesses = forks.size();
        forks.removeIf(fork -> !scratch.give(fork.branch, fork.trunk.branch.pages(), fork.wanted));
        scratch.fill(model);
        extendOnDevice();
        List<Branch> growing = growing();
        while (!growing.isEmpty()) {
            model.advance(growing, DraftModel.lastPositions(growing), drafter::extend);
            steps++;
            growing = growing();
        }
        end = System.nanoTime();
    }

    private int[] lastOfTrunks(List<Branch> of) {
        return of.stream()
                .mapToInt(branch -> trunks.get(branch.sequence()).last())
                .toArray();
    }

    /** {@return as many as any row of a trunk asks for, and one for the proposed token, which cannot be among the guesses} */
    private int candidates() {
        int most = RANKS;
        for (Trunk trunk : trunks.values()) {
            most = Math.max(most, Arrays.stream(trunk.fanOut).max().orElse(0));
        }
        return most + 1;
    }

    /** Lets all branches that the device can extend grow to their ends. */
    private void extendOnDevice() {
        Map<GenerationSequence, Outcome> known = outcomes;
        List<Fork> able = forks.stream()
                .filter(fork -> model.proposes(fork.branch.sequence()) && fork.possible(known))
                .toList();
        if (!able.isEmpty()) {
            model.extend(
                    able.stream().map(Fork::branch).toList(),
                    able.stream().mapToInt(Fork::wanted).toArray());
            steps += able.stream().mapToInt(Fork::wanted).max().orElse(0);
        }
    }

    /** Takes the tokens most readily chosen after a row of a trunk as guesses. */
    private void guess(Branch branch, int position, float[] logits, int from) {
        Trunk trunk = trunks.get(branch.sequence());
        int accepted = position - trunk.last;
        if (accepted > 0) {
            branch.see(position);
        }
        int wanted = Math.max(RANKS, trunk.fanOut[accepted]) + 1;
        if (ranked.length < wanted) {
            ranked = new int[wanted];
        }
        guess(branch, position, Arrays.copyOf(ranked, rank(branch, position, logits, from, wanted)));
    }

    /** @param candidates at least as many as RANKS and as the row asks for, and one more, where there are so many */
    private void guess(Branch branch, int position, int[] candidates) {
        Trunk trunk = trunks.get(branch.sequence());
        int accepted = position - trunk.last;
        boolean all = accepted == trunk.fanOut.length - 1;
        int proposed = all ? -1 : branch.token(position + 1);
        int[] possible = Arrays.stream(candidates)
                .filter(token -> token != proposed)
                .limit(Math.max(RANKS, trunk.fanOut[accepted]))
                .toArray();
        trunk.ranked[accepted] = possible;
        int depth = Math.min(tokens, Math.min(trunk.room - accepted - 1, model.context() - position - 1));
        if (depth <= 0 || accepted > 0 && branch.sequence().ends(branch.token(position))) {
            return;
        }
        for (int i = 0; i < Math.min(trunk.fanOut[accepted], possible.length); i++) {
            if (!branch.sequence().ends(possible[i])) {
                forks.add(new Fork(trunk, accepted, possible[i], depth, branch.fork(position + 1, possible[i])));
            }
        }
    }

    /** What could be chosen: by the noise that will choose, or, where the rule is rejection, the most likely tokens. */
    private int rank(Branch branch, int position, float[] logits, int from, int wanted) {
        Sampler sampler = model.sampler();
        return coupled
                ? sampler.candidates(
                        logits, from, branch.sampling(), branch.noise(), branch.seen(), position + 1, wanted, ranked)
                : sampler.likeliest(logits, from, branch.sampling(), branch.seen(), wanted, ranked);
    }

    /** {@return the branches that are to grow, after dropping those that cannot come any more} */
    private List<Branch> growing() {
        Map<GenerationSequence, Outcome> known = outcomes;
        List<Branch> growing = new ArrayList<>();
        for (Fork fork : forks) {
            if (!model.proposes(fork.branch.sequence()) && fork.possible(known) && fork.grows()) {
                growing.add(fork.branch);
            }
        }
        return growing;
    }

    /** Tells how the step ended, for the sequences that go on. */
    void settle(Map<GenerationSequence, Outcome> known) {
        outcomes = known;
    }

    /** {@return whether the outcome of a sequence's last step was guessed at} To be asked when the drafting is over. */
    boolean guessed(GenerationSequence sequence) {
        Trunk trunk = trunks.get(sequence);
        Outcome outcome = outcomes.get(sequence);
        return trunk != null
                && outcome != null
                && sequence.length() == trunk.last + outcome.accepted + 2
                && trunk.room - outcome.accepted - 1 > 0;
    }

    /** Proposes what was drafted for what came; {@return whether that was among the guesses} */
    boolean propose(GenerationSequence sequence, int count) {
        Fork fork = guessed(sequence) ? find(sequence, outcomes.get(sequence)) : null;
        if (fork == null || fork.drafted() == 0) {
            return false;
        }
        sequence.propose(
                Arrays.copyOf(fork.tokens(), Math.min(fork.drafted(), count)),
                GenerationSequence.Origin.HIT,
                drafter.law(fork.branch));
        return true;
    }

    /** {@return what was drafted for an outcome, whether it came or not; null if it was not among the guesses} */
    int[] drafted(GenerationSequence sequence, Outcome outcome) {
        Fork fork = find(sequence, outcome);
        return fork == null ? null : fork.tokens();
    }

    private Fork find(GenerationSequence sequence, Outcome outcome) {
        for (Fork fork : forks) {
            if (fork.branch.sequence() == sequence && fork.isOf(outcome)) {
                return fork;
            }
        }
        return null;
    }

    /** Tells a statistic what came, and at which rank it would have been guessed. */
    void observe(OutcomeStatistics statistics) {
        trunks.forEach((sequence, trunk) -> {
            Outcome outcome = outcomes.get(sequence);
            if (outcome != null && trunk.ranked[outcome.accepted] != null) {
                int rank = 0;
                int[] guessed = trunk.ranked[outcome.accepted];
                while (rank < guessed.length && guessed[rank] != outcome.token) {
                    rank++;
                }
                statistics.observe(
                        trunk.afterHit,
                        outcome.accepted,
                        trunk.fanOut.length - 1,
                        rank == guessed.length ? RANKS : rank);
            }
        });
    }

    /** Gives the scratch pages back. */
    void release() {
        scratch.clear();
    }

    /** {@return when the drafting began, as {@link System#nanoTime()}} */
    long begin() {
        return begin;
    }

    /** {@return when it ended} */
    long end() {
        return end;
    }

    /** {@return forward passes} */
    int steps() {
        return steps;
    }

    /** {@return guesses of all sequences together} */
    int guesses() {
        return guesses;
    }

    /**
     * A sequence when its step began.
     *
     * @param branch its tokens and what is proposed
     * @param last the position of its last token
     * @param room how many tokens could be proposed to it
     * @param fanOut [proposed + 1] guesses for each number of chosen tokens
     * @param ranked [proposed + 1] out: possible tokens, the most readily chosen first
     * @param afterHit whether its proposal was drafted ahead
     */
    private record Trunk(Branch branch, int last, int room, int[] fanOut, int[][] ranked, boolean afterHit) {}

    /**
     * A guess and what is drafted after it.
     *
     * @param accepted how many proposed tokens are chosen
     * @param token what is chosen then
     * @param wanted how many tokens to draft
     */
    private record Fork(Trunk trunk, int accepted, int token, int wanted, Branch branch) {
        boolean isOf(Outcome outcome) {
            return outcome != null && outcome.accepted == accepted && outcome.token == token;
        }

        /** {@return whether it can come, where outcomes are known; null for none} */
        boolean possible(Map<GenerationSequence, Outcome> known) {
            return known == null || isOf(known.get(branch.sequence()));
        }

        int drafted() {
            return branch.length() - branch.firstOwn() - 1;
        }

        int[] tokens() {
            int[] own = branch.own();
            return Arrays.copyOfRange(own, 1, own.length);
        }

        boolean grows() {
            return branch.computed() == branch.length() - 1
                    && drafted() < wanted
                    && !(drafted() > 0 && branch.sequence().ends(branch.token(branch.length() - 1)));
        }
    }
}
