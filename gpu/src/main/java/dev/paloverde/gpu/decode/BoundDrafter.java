package dev.paloverde.gpu.decode;

import java.util.ArrayList;
import java.util.List;

/**
 * A lookup and a draft model, sequence by sequence whichever was right more often lately. What the lookup would have
 * proposed is known after each round without its being asked; the model is asked again now and then where the lookup is
 * ahead.
 */
final class BoundDrafter implements Drafter {
    private final LookupDrafter lookup = new LookupDrafter();
    private final Drafter model;

    BoundDrafter(Drafter model) {
        this.model = model;
    }

    @Override
    public void propose(Round round) {
        List<GenerationSequence> others = new ArrayList<>();
        List<Integer> otherCounts = new ArrayList<>();
        for (int i = 0; i < round.size(); i++) {
            GenerationSequence sequence = round.sequences().get(i);
            DraftRecord record = sequence.record();
            record.look(sequence, round.counts()[i]);
            if (record.lookupLeads()) {
                sequence.propose(record.lookedUp());
            } else {
                others.add(sequence);
                otherCounts.add(round.counts()[i]);
            }
        }
        model.propose(Round.of(others, otherCounts));
        for (GenerationSequence sequence : others) {
            sequence.record().drafted(sequence.proposal());
        }
    }

    @Override
    public void close() {
        lookup.close();
        model.close();
    }
}
