package dev.paloverde.pipelines.corpus;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;

/** Published rules for which texts of the web are worth training on, each with its published threshold. */
public enum QualityRules {
    /** Rae et al., "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", 2021, appendix A.1.1. */
    GOPHER_QUALITY(
            new Rule("words", 50, 100_000),
            new Rule("mean_word_length", 3, 10),
            new Rule("symbols_per_word", 0, 0.1),
            new Rule("bullet_lines", 0, 0.9),
            new Rule("ellipsis_lines", 0, 0.3),
            new Rule("alphabetic_words", 0.8, 1),
            new Rule("stop_words", 2, 8)),
    /** The same, table A1. */
    GOPHER_REPETITION(
            new Rule("duplicate_lines", 0, 0.30),
            new Rule("duplicate_paragraphs", 0, 0.30),
            new Rule("duplicate_line_characters", 0, 0.20),
            new Rule("duplicate_paragraph_characters", 0, 0.20),
            new Rule("top_2_gram_characters", 0, 0.20),
            new Rule("top_3_gram_characters", 0, 0.18),
            new Rule("top_4_gram_characters", 0, 0.16),
            new Rule("duplicate_5_gram_characters", 0, 0.15),
            new Rule("duplicate_6_gram_characters", 0, 0.14),
            new Rule("duplicate_7_gram_characters", 0, 0.13),
            new Rule("duplicate_8_gram_characters", 0, 0.12),
            new Rule("duplicate_9_gram_characters", 0, 0.11),
            new Rule("duplicate_10_gram_characters", 0, 0.10)),
    /**
     * Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", JMLR 2020,
     * section 2.2: its rules for pages. Those for lines, which change texts, are not among them.
     */
    C4(
            new Rule("sentences", 3, Double.POSITIVE_INFINITY),
            new Rule("curly_brackets", 0, 0),
            new Rule("lorem_ipsum", 0, 0)),
    /**
     * Penedo et al., "The FineWeb Datasets: Decanting the Web for the Finest Text Data at Scale", 2024, section 3.6; it
     * drops what reaches a threshold, and so do these.
     */
    FINEWEB(
            new Rule("punctuated_lines", Math.nextUp(0.12), 1),
            new Rule("duplicate_line_characters", 0, Math.nextDown(0.1)),
            new Rule("short_lines", 0, Math.nextDown(0.67)));

    private final List<Rule> rules;

    QualityRules(Rule... rules) {
        this.rules = List.of(rules);
    }

    /**
     * One signal and the range in which it may be.
     *
     * @param signal one of {@link QualitySignals}
     * @param least its least value that is kept
     * @param most its greatest value that is kept
     */
    public record Rule(String signal, double least, double most) {}

    /** {@return the rules} */
    public List<Rule> rules() {
        return rules;
    }

    /**
     * {@return what the first rule broken is called, {@code GOPHER_QUALITY.words} say; null if a text breaks none}
     *
     * @param sets the rules to judge by
     * @param signals the signals of a text, as a column that is computed already
     */
    public static Column broken(Collection<QualityRules> sets, Column signals) {
        List<Column> broken = new ArrayList<>();
        for (QualityRules set : sets) {
            for (Rule rule : set.rules) {
                Column signal = signals.getField(rule.signal);
                broken.add(functions.when(
                        signal.lt(rule.least).or(signal.gt(rule.most)), functions.lit(set.name() + "." + rule.signal)));
            }
        }
        broken.add(functions.lit(null).cast("string"));
        return functions.coalesce(broken.toArray(Column[]::new));
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
