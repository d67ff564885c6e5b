package dev.paloverde.data.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What is true in the {@link World}, as questions with one right answer. Every fact can be asked in several wordings.
 * One wording of each fact is kept back: it is asked in the choices of the evaluation set alone, so that a model must
 * have learnt the fact and not the line.
 */
final class Facts {
    /**
     * One fact.
     *
     * @param subject what it is about
     * @param relation the kind of fact; answers of one kind are each other's distractors
     * @param answer the right answer, as the words after {@code Answer:}, without the full stop
     * @param sentence the fact as a statement
     * @param wordings the questions that ask for it
     * @param reserved the index of the wording that training never sees
     */
    record Fact(String subject, String relation, String answer, String sentence, List<String> wordings, int reserved) {
        /** A wording that may be trained on. */
        String question(Draws draws) {
            int drawn = draws.below(wordings.size() - 1);
            return wordings.get(drawn < reserved ? drawn : drawn + 1);
        }

        String reservedQuestion() {
            return wordings.get(reserved);
        }
    }

    static final List<Fact> ALL = all();

    static final Map<String, List<Fact>> BY_SUBJECT = bySubject();

    private Facts() {}

    private static List<Fact> all() {
        List<Fact> facts = new ArrayList<>();
        for (World.Animal animal : World.ANIMALS) {
            String name = animal.name();
            add(
                    facts,
                    name,
                    "diet",
                    animal.eats(),
                    "A %s eats %s.",
                    "What does the %s eat?",
                    "What is the food of a %s?",
                    "What do you feed a hungry %s?",
                    "On what does a %s live?");
            add(
                    facts,
                    name,
                    "home",
                    animal.home(),
                    "The home of a %s is %s.",
                    "Where does the %s live?",
                    "What is the home of a %s?",
                    "Where would you look for a sleeping %s?",
                    "Where does a %s rest?");
            add(
                    facts,
                    name,
                    "active",
                    animal.active(),
                    "The %s is awake %s.",
                    "When is the %s awake?",
                    "When does a %s go out?",
                    "At what time can you see a %s?",
                    "When is a %s busy?");
            add(
                    facts,
                    name,
                    "color",
                    animal.color(),
                    "The %s is %s.",
                    "What color is the %s?",
                    "How is a %s colored?",
                    "What does the coat of a %s look like?",
                    "Which colors does a %s have?");
            add(
                    facts,
                    name,
                    "group",
                    "a " + animal.group().word,
                    "The %s is %s.",
                    "What kind of animal is the %s?",
                    "To which group does the %s belong?",
                    "What sort of creature is a %s?",
                    "Is the %s a bird, a mammal or something else?");
        }
        for (World.Plant plant : World.PLANTS) {
            String name = plant.name();
            add(
                    facts,
                    name,
                    "flower",
                    plant.flower(),
                    "The flowers of the %s are %s.",
                    "What color are the flowers of the %s?",
                    "What color does the %s bloom?",
                    "Which color do you see when a %s blooms?",
                    "How are the flowers of a %s colored?");
            add(
                    facts,
                    name,
                    "month",
                    "in " + plant.month(),
                    "The %s blooms %s.",
                    "When does the %s bloom?",
                    "In which month does the %s flower?",
                    "When can you see the flowers of a %s?",
                    "At what time of year does a %s open its flowers?");
            add(
                    facts,
                    name,
                    "kind",
                    "a " + plant.kind(),
                    "The %s is %s.",
                    "What kind of plant is the %s?",
                    "Is the %s a tree, a shrub or a cactus?",
                    "What sort of plant is a %s?",
                    "To which group of plants does the %s belong?");
            add(
                    facts,
                    name,
                    "height",
                    World.counted(plant.height(), "meter", "meters"),
                    "A tall %s reaches %s.",
                    "How tall is the %s?",
                    "How high does a %s grow?",
                    "What height does a tall %s reach?",
                    "How many meters high can a %s be?");
            add(
                    facts,
                    name,
                    "known",
                    plant.known(),
                    "The %s is known for %s.",
                    "What is the %s known for?",
                    "How do you know a %s when you see it?",
                    "What do people remember about the %s?",
                    "What is special about a %s?");
        }
        for (World.Place place : World.PLACES) {
            String name = place.name();
            add(
                    facts,
                    name,
                    "side",
                    place.side() + " of the camp",
                    "%s lies %s.",
                    "Where is %s?",
                    "On which side of the camp is %s?",
                    "Which way do you walk to reach %s?",
                    "Where does %s lie?");
            add(
                    facts,
                    name,
                    "sight",
                    place.known(),
                    "%s is known for %s.",
                    "What is %s known for?",
                    "What can you see at %s?",
                    "Why do people visit %s?",
                    "What is special about %s?");
            add(
                    facts,
                    name,
                    "water",
                    place.water(),
                    "At %s there is %s.",
                    "What water is there at %s?",
                    "Where can you drink at %s?",
                    "Is there water at %s?",
                    "What water will you find at %s?");
        }
        return List.copyOf(facts);
    }

    private static void add(
            List<Fact> facts, String subject, String relation, String answer, String sentence, String... wordings) {
        List<String> asked = new ArrayList<>();
        for (String wording : wordings) {
            asked.add(Phrases.polish(wording.formatted(subject)));
        }
        facts.add(new Fact(
                subject,
                relation,
                Phrases.polish("x " + answer).substring(2),
                Phrases.polish(sentence.formatted(subject, answer)),
                List.copyOf(asked),
                facts.size() % wordings.length));
    }

    private static Map<String, List<Fact>> bySubject() {
        Map<String, List<Fact>> bySubject = new LinkedHashMap<>();
        for (Fact fact : ALL) {
            bySubject
                    .computeIfAbsent(fact.subject(), subject -> new ArrayList<>())
                    .add(fact);
        }
        return bySubject;
    }

    static List<String> subjects() {
        return List.copyOf(BY_SUBJECT.keySet());
    }
}
