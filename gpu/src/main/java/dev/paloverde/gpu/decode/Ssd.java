package dev.paloverde.gpu.decode;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Speculative speculative decoding (Kumar, Dao and May, arXiv 2603.03251): while the target verifies, a thread of the
 * drafter's guesses the outcomes and drafts what to propose after each. When an outcome was guessed, the next proposal is
 * there; when not, the sequence falls back, and the others keep what they have.
 */
final class Ssd implements Speculator {
    private static final int[] NO_TOKENS = {};

    private final DraftModel model;
    private final ModelDrafter drafter;
    private final Drafter lookup = new LookupDrafter();
    private final ScratchPages scratch;
    private final SharedThreads threads;
    private final Speculation speculation;
    private final Pace pace;
    private final FallbackChoice fallback;
    private final OutcomeStatistics statistics;
    private final SpeculationCounter counter = new SpeculationCounter();
    private final ExecutorService thread;

    private Round round;
    private int decoding;
    private Pace.Choice choice;
    private long draftNanos;
    private boolean drafterAsked;
    private final Deque<Turn> turns = new ArrayDeque<>();
    private long lastEnd;
    private AheadDraft ahead;
    private Future<?> running;

    /** @param scratch pages of the model's cache behind those of the engine */
    Ssd(DraftModel model, ScratchPages scratch, SharedThreads threads, Speculation speculation) {
        this.model = model;
        this.drafter = new ModelDrafter(model, speculation);
        this.scratch = scratch;
        this.threads = threads;
        this.speculation = speculation;
        this.pace = Pace.of(speculation);
        this.fallback = new FallbackChoice(speculation);
        this.statistics = new OutcomeStatistics(speculation);
        String name = Thread.currentThread().getName() + "-draft";
        this.thread = Executors.newSingleThreadExecutor(task -> {
            Thread daemon = new Thread(task, name);
            daemon.setDaemon(true);
            return daemon;
        });
    }

    @Override
    public int proposals(int count) {
        decoding = count;
        choice = pace.choose(decoding);
        return choice.tokens();
    }

    @Override
    public int required() {
        return speculation.rule() == Speculation.Rule.REJECTION ? speculation.tokens() : 0;
    }

    @Override
    public List<Slice> propose(List<Slice> slices) {
        long began = System.nanoTime();
        round = Round.of(slices);
        AheadDraft drafted = await();
        List<GenerationSequence> missed = new ArrayList<>();
        List<Integer> counts = new ArrayList<>();
        for (int i = 0; i < round.size(); i++) {
            GenerationSequence sequence = round.sequences().get(i);
            int count = round.counts()[i];
            sequence.propose(NO_TOKENS);
            if (count == 0 || proposeLookedUp(sequence, count)) {
                continue;
            }
            if (drafted != null && drafted.propose(sequence, count)) {
                sequence.record().drafted(sequence.proposal());
            } else {
                missed.add(sequence);
                counts.add(count);
            }
        }
        if (!missed.isEmpty()) {
            fallBack(Round.of(missed, counts), drafted);
        }
        if (drafted != null) {
            drafted.release();
        }
        draftNanos = System.nanoTime() - began;
        return Round.fit(slices);
    }

    private boolean proposeLookedUp(GenerationSequence sequence, int count) {
        if (speculation.drafter() != Speculation.Drafting.BOTH) {
            return false;
        }
        sequence.record().look(sequence, count);
        if (!sequence.record().lookupLeads()) {
            return false;
        }
        sequence.propose(sequence.record().lookedUp());
        return true;
    }

    private void fallBack(Round missed, AheadDraft drafted) {
        int others = round.size() - missed.size();
        drafterAsked = fallback.draft(missed.size(), others);
        if (drafterAsked) {
            long began = System.nanoTime();
            drafter.propose(missed);
            fallback.drafted(System.nanoTime() - began);
            missed.sequences().forEach(sequence -> sequence.record().drafted(sequence.proposal()));
        } else {
            lookup.propose(missed);
        }
        for (GenerationSequence sequence : missed.sequences()) {
            if (drafted != null && drafted.guessed(sequence)) {
                sequence.missed();
            }
        }
    }

    /** Waits for what was drafted during the last step; {@return it, or null if nothing was} */
    private AheadDraft await() {
        AheadDraft drafted = ahead;
        if (drafted == null) {
            return null;
        }
        ahead = null;
        boolean interrupted = false;
        while (true) {
            try {
                running.get();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            } catch (ExecutionException e) {
                throw new IllegalStateException("the draft model failed: " + e.getCause(), e.getCause());
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        threads.alone();
        drafted.observe(statistics);
        counter.ahead(drafted.begin(), drafted.end(), drafted.guesses());
        return drafted;
    }

    @Override
    public void verifying(List<Slice> slices) {
        turns.add(new Turn(round, decoding, choice, draftNanos, System.nanoTime()));
        if (!choice.ahead() || speculation.fanOut() == 0 || round.size() == 0) {
            return;
        }
        AheadDraft next = new AheadDraft(model, drafter, scratch, speculation);
        for (GenerationSequence sequence : round.sequences()) {
            if (sequence.room() > 1) {
                boolean hit = sequence.origin() == GenerationSequence.Origin.HIT;
                next.add(sequence, statistics.fanOut(hit, sequence.proposed()));
            }
        }
        if (!next.isEmpty()) {
            ahead = next;
            threads.together();
            running = thread.submit(next::run);
        }
    }

    @Override
    public void verified(List<Slice> slices) {
        long end = System.nanoTime();
        Turn turn = turns.remove();
        Map<GenerationSequence, AheadDraft.Outcome> outcomes = new IdentityHashMap<>();
        int chosen = 0;
        for (GenerationSequence sequence : turn.round().sequences()) {
            chosen += sequence.accepted() + 1;
            if (sequence.origin() == GenerationSequence.Origin.MISS) {
                fallback.brought(drafterAsked, sequence.accepted() + 1);
            } else if (sequence.proposed() > 0) {
                fallback.broughtWithout(sequence.accepted() + 1);
            }
            if (!sequence.done() && !sequence.work().over()) {
                outcomes.put(
                        sequence, new AheadDraft.Outcome(sequence.accepted(), sequence.token(sequence.length() - 1)));
            }
        }
        if (ahead != null) {
            ahead.settle(outcomes);
        }
        counter.count(turn, end);
        if (turn.round().size() == slices.size()) {
            long nanos = turn.nanos(lastEnd, end);
            pace.measured(turn.decoding(), turn.choice(), chosen, turn.draftNanos() + nanos);
            fallback.verified(nanos);
        }
        lastEnd = end;
    }

    @Override
    public SpeculationMetrics metrics() {
        return counter.totals();
    }

    @Override
    public List<SpeculationRound> rounds() {
        return counter.rounds();
    }

    @Override
    public void close() {
        if (ahead != null) {
            ahead.settle(Map.of());
        }
        thread.shutdown();
        boolean interrupted = false;
        while (true) {
            try {
                if (thread.awaitTermination(1, TimeUnit.MINUTES)) {
                    break;
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        drafter.close();
    }
}
