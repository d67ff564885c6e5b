package dev.paloverde.gpu.kernels;

/** Memory that one worker reuses from task to task. What stands in it is undefined. */
final class Scratch {
    /** What a piece is for; pieces of different uses do not overlap. */
    enum Use {
        SUMS,
        WEIGHTS,
        QUERIES,
        SCORES,
        OUTPUTS,
        PARTIALS
    }

    private final float[][] pieces = new float[Use.values().length][0];

    /** {@return at least {@code length} numbers, undefined} */
    float[] floats(Use use, int length) {
        float[] piece = pieces[use.ordinal()];
        if (piece.length < length) {
            piece = new float[Math.max(length, (int) Math.min(2L * piece.length, Integer.MAX_VALUE - 8))];
            pieces[use.ordinal()] = piece;
        }
        return piece;
    }
}
