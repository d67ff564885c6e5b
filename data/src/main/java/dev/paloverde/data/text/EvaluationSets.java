package dev.paloverde.data.text;

import dev.paloverde.data.text.Facts.Fact;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Prompts to continue, and questions with choices of which one is right. */
public final class EvaluationSets {
    /** How many choices a question has. */
    static final int CHOICES = 4;

    /**
     * A text to continue.
     *
     * @param id unique in its file
     * @param prompt the opening of a document
     */
    public record Prompt(String id, String prompt) {}

    /**
     * A question with one right choice.
     *
     * @param id unique in its file
     * @param context what stands before the choice
     * @param choices the continuations, each with its leading space
     * @param answer the index of the right one
     */
    public record Choice(String id, String context, List<String> choices, int answer) {}

    private EvaluationSets() {}

    /** Openings of stories, notes, problems, captions and dialogues, and questions without their answer. */
    public static List<Prompt> prompts(long seed) {
        List<Prompt> prompts = new ArrayList<>();
        for (int index = 0; index < 80; index++) {
            add(
                    prompts,
                    TextSource.STORIES,
                    firstSentences(TextSource.STORIES.document(seed, index).text(), 2));
        }
        for (int index = 0; index < 30; index++) {
            String[] parts = TextSource.FIELD_NOTES.document(seed, index).text().split("\n\n");
            add(prompts, TextSource.FIELD_NOTES, parts[0] + "\n\n" + firstSentences(parts[1], 2));
        }
        for (int index = 0; index < 50; index++) {
            Draws draws = Draws.of(seed, "prompts", index);
            add(
                    prompts,
                    TextSource.QUESTIONS,
                    "Question: " + draws.pick(Facts.ALL).question(draws) + "\nAnswer:");
        }
        for (int index = 0; index < 20; index++) {
            String text = TextSource.ARITHMETIC.document(seed, index).text();
            add(prompts, TextSource.ARITHMETIC, text.substring(0, text.indexOf("\nSteps:")) + "\nSteps:");
        }
        for (int index = 0; index < 10; index++) {
            add(
                    prompts,
                    TextSource.CAPTIONS,
                    firstSentences(TextSource.CAPTIONS.document(seed, index).text(), 1));
        }
        for (int index = 0; index < 10; index++) {
            String text = TextSource.DIALOGUE.document(seed, index).text();
            add(
                    prompts,
                    TextSource.DIALOGUE,
                    text.substring(0, text.indexOf(Dialogue.ASSISTANT)) + Dialogue.ASSISTANT.strip());
        }
        return List.copyOf(prompts);
    }

    private static void add(List<Prompt> prompts, TextSource source, String prompt) {
        prompts.add(new Prompt("%s-%03d".formatted(source.label(), prompts.size()), prompt));
    }

    private static String firstSentences(String text, int count) {
        int end = 0;
        for (int sentence = 0; sentence < count; sentence++) {
            int stop = text.indexOf(". ", end);
            if (stop < 0) {
                break;
            }
            end = stop + 1;
        }
        return end == 0 ? text.lines().findFirst().orElse(text) : text.substring(0, end);
    }

    /** One question for each fact, in the wording that the corpus never uses. */
    public static List<Choice> choices(long seed) {
        List<Choice> choices = new ArrayList<>();
        for (int index = 0; index < Facts.ALL.size(); index++) {
            Fact fact = Facts.ALL.get(index);
            Draws draws = Draws.of(seed, "choices", index);
            Set<String> options = new LinkedHashSet<>();
            for (Fact other : draws.shuffled(Facts.ALL)) {
                if (other.relation().equals(fact.relation())
                        && !other.answer().equals(fact.answer())
                        && options.size() < CHOICES - 1) {
                    options.add(other.answer());
                }
            }
            options.add(fact.answer());
            List<String> shuffled = draws.shuffled(List.copyOf(options));
            choices.add(new Choice(
                    "choice-%03d".formatted(index),
                    "Question: " + fact.reservedQuestion() + "\nAnswer:",
                    shuffled.stream()
                            .map(option -> " " + Phrases.capital(option) + ".")
                            .toList(),
                    shuffled.indexOf(fact.answer())));
        }
        return List.copyOf(choices);
    }
}
