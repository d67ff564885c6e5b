package dev.paloverde.gpu.model.jinja;

/**
 * What one rendering may take, in proportion to what it is given. Everything is counted in characters written or looked
 * at, an operation as one.
 */
final class Budget {
    private static final long LEAST_WORK = 20_000_000;
    private static final long WORK_PER_CHARACTER = 64;
    private static final long LEAST_TEXT = 4_000_000;
    private static final long TEXT_PER_CHARACTER = 8;
    private static final int LONGEST_LIST = 1_000_000;
    private static final int DEEPEST = 60;

    private final long work;
    private final long longestText;
    private long left;
    private int depth;

    /**
     * @param input characters in all variables together
     */
    Budget(long input) {
        work = LEAST_WORK + WORK_PER_CHARACTER * input;
        longestText = LEAST_TEXT + TEXT_PER_CHARACTER * input;
        left = work;
    }

    void spend(long work) {
        left -= work;
        if (left < 0) {
            throw Failures.failed("it takes more than %,d operations".formatted(work));
        }
    }

    /** Room for a text that is about to be made, and the work of making it. */
    void text(long length) {
        limit(length);
        spend(length + 1);
    }

    /** Room for a text that grows. */
    void limit(long length) {
        if (length > longestText) {
            throw Failures.failed(
                    "it makes a text of %,d characters; at most %,d are allowed".formatted(length, longestText));
        }
    }

    /** Room for a list that is about to be made. */
    void list(long size) {
        if (size > LONGEST_LIST) {
            throw Failures.failed("it makes a list of %,d; at most %,d are allowed".formatted(size, LONGEST_LIST));
        }
        spend(size + 1);
    }

    void enter() {
        if (++depth > DEEPEST) {
            throw Failures.failed("macros call each other more than %d deep".formatted(DEEPEST));
        }
    }

    void leave() {
        depth--;
    }
}
