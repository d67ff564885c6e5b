package dev.paloverde.pipelines.corpus;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import opennlp.tools.langdetect.Language;
import opennlp.tools.langdetect.LanguageDetectorModel;
import opennlp.tools.langdetect.ThreadSafeLanguageDetectorME;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * The language of a text, by Apache OpenNLP's detector and its published model of 103 languages (n-grams of one to three
 * characters, trained on the Leipzig corpora). Languages are codes of ISO 639-3. Of a text longer than 2,000 characters
 * four parts are looked at, so that the work is bounded; the same text has the same language anywhere.
 *
 * <p>The detector knows no text that is none: it calls program code and lists of numbers by the name of some language. So
 * a text has a score as well, which is low for such.
 */
public final class Languages {
    /** The language of a text without letters, or one of which the detector does not know one. */
    public static final String UNDETERMINED = "und";

    static final int PARTS = 4;
    static final int PART_LENGTH = 500;

    /** Below this lead the first language is first by chance: so it is for texts of a word or two. */
    private static final double LEAST_LEAD = 0.05;

    private static final String MODEL = "/langdetect-183.bin";
    private static final StructType SCHEMA =
            new StructType().add(Cleaning.LANGUAGE, "string", false).add(Cleaning.LANGUAGE_SCORE, "double", false);

    private Languages() {}

    /**
     * A language, and how sure it is.
     *
     * @param code of ISO 639-3, or {@link #UNDETERMINED}
     * @param score one less the ratio of the second language's probability to the first's, 0 to 1
     */
    record Found(String code, double score) {
        static final Found NONE = new Found(UNDETERMINED, 0);
    }

    /** {@return a struct of {@link Cleaning#LANGUAGE} and {@link Cleaning#LANGUAGE_SCORE} of a column of texts; null of null} */
    static Column of(Column text) {
        UDF1<String, Row> found = value -> {
            if (value == null) {
                return null;
            }
            Found language = find(value);
            return RowFactory.create(language.code(), language.score());
        };
        return functions.udf(found, SCHEMA).apply(text);
    }

    /**
     * Looks whether there are such languages.
     *
     * @throws PaloverdeException {@code INVALID_OPTION} if one of the codes is none of the detector's
     */
    public static void check(Collection<String> codes) {
        if (codes.isEmpty()) {
            return;
        }
        Set<String> known = new TreeSet<>(Arrays.asList(Detector.ONE.getSupportedLanguages()));
        known.add(UNDETERMINED);
        for (String code : codes) {
            if (!known.contains(code)) {
                throw new PaloverdeException(
                        ErrorCode.INVALID_OPTION,
                        "no text is known to be in '%s'; languages are codes of ISO 639-3: %s"
                                .formatted(code, String.join(", ", known)));
            }
        }
    }

    static Found find(String text) {
        String looked = excerpt(text);
        if (looked.codePoints().noneMatch(Character::isLetter)) {
            return Found.NONE;
        }
        Language[] likely = Detector.ONE.predictLanguages(looked);
        double lead = 1 - likely[1].getConfidence() / likely[0].getConfidence();
        return lead < LEAST_LEAD ? new Found(UNDETERMINED, lead) : new Found(likely[0].getLang(), lead);
    }

    /** {@return a text that is short as it is; of another its begin, its end, and what lies evenly between} */
    static String excerpt(String text) {
        if (text.length() <= PARTS * PART_LENGTH) {
            return text;
        }
        StringBuilder parts = new StringBuilder(PARTS * (PART_LENGTH + 1));
        for (int part = 0; part < PARTS; part++) {
            int start = (int) ((long) (text.length() - PART_LENGTH) * part / (PARTS - 1));
            parts.append(text, whole(text, start), whole(text, start + PART_LENGTH))
                    .append('\n');
        }
        return parts.toString();
    }

    /** {@return a place near the one given that is between characters, not within one} */
    private static int whole(String text, int at) {
        return at < text.length() && Character.isLowSurrogate(text.charAt(at)) ? at + 1 : at;
    }

    /** Loaded by the first text of a JVM; it takes a second, and 40 MB. */
    private static final class Detector {
        static final ThreadSafeLanguageDetectorME ONE = new ThreadSafeLanguageDetectorME(model());

        private static LanguageDetectorModel model() {
            try (InputStream in = LanguageDetectorModel.class.getResourceAsStream(MODEL)) {
                if (in == null) {
                    throw new PaloverdeException(
                            ErrorCode.INTERNAL,
                            "the class path lacks %s of opennlp-models-langdetect, which is part of the assembly"
                                    .formatted(MODEL));
                }
                return new LanguageDetectorModel(in);
            } catch (IOException e) {
                throw new PaloverdeException(ErrorCode.INTERNAL, "the model of languages cannot be read: " + e, e);
            }
        }
    }
}
