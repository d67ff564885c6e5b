package dev.paloverde.jobs;

import dev.paloverde.pipelines.corpus.Decontamination;
import dev.paloverde.pipelines.corpus.Languages;
import dev.paloverde.pipelines.corpus.MinHash;
import dev.paloverde.pipelines.corpus.QualityRules;
import dev.paloverde.pipelines.corpus.RepeatedText;
import dev.paloverde.pipelines.corpus.Verification;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import picocli.CommandLine.Option;

/** The flags that say what is done to a corpus. */
final class CorpusOptions {
    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "DIRECTORY",
            description = "Where kept/, rejects/, contamination/, summary.json and card.html go, on any file system"
                    + " Hadoop's configuration knows.")
    String output;

    @Option(
            names = "--overwrite",
            description = "Remove what an earlier corpus job with other input or options wrote there.")
    boolean overwrite;

    @Option(names = "--dry-run", description = "Write nothing; show what there is and what would be done.")
    boolean dryRun;

    @Option(
            names = "--text-column",
            defaultValue = "text",
            paramLabel = "COLUMN",
            description = "The column with the documents' text (default: text).")
    String text;

    @Option(
            names = "--keep-encoding",
            description = "Leave texts as they are; by default UTF-8 read as windows-1252 is read again, control"
                    + " characters go and the Unicode form becomes NFC.")
    boolean keepEncoding;

    @Option(
            names = "--mask-personal-data",
            description = "Put placeholders for e-mail addresses, public IP addresses and telephone numbers.")
    boolean mask;

    @Option(
            names = "--rules",
            split = ",",
            paramLabel = "RULES",
            description = "Reject texts that break published rules: gopher_quality, gopher_repetition, c4, fineweb;"
                    + " several with commas (default: none; their signals are columns in any case).")
    List<QualityRules> rules = new ArrayList<>();

    @Option(
            names = "--languages",
            split = ",",
            paramLabel = "CODES",
            description =
                    "Reject texts in other languages: codes of ISO 639-3 such as eng, deu, cmn, and und for what is"
                            + " in none that is known; several with commas (default: all; the language is a column in any case).")
    List<String> languages = new ArrayList<>();

    @Option(names = "--bands", paramLabel = "COUNT", description = "Bands of a MinHash signature (default: 14).")
    int bands = MinHash.Parameters.STANDARD.bands();

    @Option(names = "--rows", paramLabel = "COUNT", description = "Hash functions of a band (default: 8).")
    int rows = MinHash.Parameters.STANDARD.rows();

    @Option(names = "--ngram", paramLabel = "WORDS", description = "Words of the n-grams compared (default: 5).")
    int ngram = MinHash.Parameters.STANDARD.words();

    @Option(names = "--seed", paramLabel = "NUMBER", description = "Seed of the hash functions (default: 0).")
    long seed = MinHash.Parameters.STANDARD.seed();

    @Option(
            names = "--verify",
            paramLabel = "HOW",
            description = "Whether texts that share a band are compared before one is dropped: none, estimate (by their"
                    + " signatures) or exact (by their n-grams) (default: none).")
    Verification.Method verify = Verification.Method.NONE;

    @Option(
            names = "--similarity",
            paramLabel = "JACCARD",
            description = "With --verify, how alike two texts must be, 0 to 1 (default: 0.7).")
    double similarity = 0.7;

    /** What becomes of passages that stand elsewhere too. */
    enum Repeated {
        KEEP,
        REPORT,
        REMOVE
    }

    @Option(
            names = "--repeated-text",
            paramLabel = "WHAT",
            description =
                    "What becomes of passages that stand in what is kept more than once: keep looks for none, report"
                            + " lists all but the first in passages/, remove takes these out of the texts besides, and rejects"
                            + " documents of which nothing is left (default: keep).")
    Repeated repeated = Repeated.KEEP;

    @Option(
            names = "--repeated-words",
            paramLabel = "WORDS",
            description = "How many words in a row are such a passage at least (default: 50).")
    int repeatedWords = RepeatedText.STANDARD.words();

    @Option(
            names = "--evaluation",
            paramLabel = "PATH",
            description = "Reject documents with a part of this evaluation set: Parquet, JSONL, CSV or text; may be"
                    + " repeated.")
    List<String> evaluation = new ArrayList<>();

    @Option(
            names = "--evaluation-column",
            defaultValue = "text",
            paramLabel = "COLUMN",
            description = "The column of evaluation sets that is searched for (default: text).")
    String evaluationColumn;

    @Option(
            names = "--evaluation-ngram",
            paramLabel = "WORDS",
            description = "How many words in a row are a part (default: 13).")
    int evaluationNgram = Decontamination.STANDARD_WORDS;

    @Option(
            names = "--tokenizer",
            paramLabel = "MODEL",
            description = "Make sequences of what is kept, with the tokenizer of this model: a directory, a URI or"
                    + " embedded:NAME; packed/, unpacked/ and shards.json have them (default: none are made).")
    String tokenizer;

    MinHash.Parameters minHash() {
        return new MinHash.Parameters(bands, rows, ngram, seed);
    }

    Verification verification() {
        return verify == Verification.Method.NONE ? Verification.none() : Verification.of(verify, similarity);
    }

    RepeatedText repeatedText() {
        return new RepeatedText(repeatedWords);
    }

    Decontamination decontamination() {
        return new Decontamination(evaluationNgram);
    }

    /** {@return what the results depend on besides the rows of the input: what is done, and to which of them} */
    SortedMap<String, String> description(InputOptions input) {
        SortedMap<String, String> description = new TreeMap<>();
        description.put("command", "corpus");
        description.put("where", String.valueOf(input.where));
        description.put("sample", String.valueOf(input.sample));
        description.put("limit", String.valueOf(input.limit));
        description.put("version", Versions.PALOVERDE);
        description.put("text-column", text);
        description.put("keep-encoding", Boolean.toString(keepEncoding));
        description.put("mask-personal-data", Boolean.toString(mask));
        Languages.check(languages);
        description.put("languages", languages.toString());
        description.put("rules", rules.toString());
        description.put("min-hash", minHash().toString());
        description.put("verification", verification().toString());
        description.put("repeated-text", repeated + " " + repeatedText());
        description.put("evaluation-column", evaluationColumn);
        description.put("evaluation-ngram", decontamination().toString());
        return description;
    }

    /** {@return the evaluation sets as an input, if there are any} */
    Optional<InputOptions> evaluationInput() {
        if (evaluation.isEmpty()) {
            return Optional.empty();
        }
        InputOptions input = new InputOptions();
        input.input = evaluation;
        return Optional.of(input);
    }
}
