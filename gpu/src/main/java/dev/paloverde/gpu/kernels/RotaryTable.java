package dev.paloverde.gpu.kernels;

import java.util.Arrays;

/**
 * Cosines and sines of one {@link Rotary}, for the positions seen so far. The angle is rounded to fp32 before its cosine
 * is taken, as in the models' own code; StrictMath, since Math.cos may differ between CPUs.
 */
final class RotaryTable {
    private final Rotary rotary;
    private final int half;
    private float[] cosines = new float[0];
    private float[] sines = new float[0];
    private int positions;

    RotaryTable(Rotary rotary) {
        this.rotary = rotary;
        half = rotary.frequencies().length;
    }

    Rotary rotary() {
        return rotary;
    }

    /** Makes the table reach to a position. */
    void reach(int position) {
        if (position < positions) {
            return;
        }
        int target = Math.max(position + 1, (int) Math.min(2L * positions, Integer.MAX_VALUE / Math.max(1, half)));
        cosines = Arrays.copyOf(cosines, Math.multiplyExact(target, half));
        sines = Arrays.copyOf(sines, target * half);
        for (int p = positions; p < target; p++) {
            for (int i = 0; i < half; i++) {
                float angle = p * rotary.frequencies()[i];
                cosines[p * half + i] = (float) StrictMath.cos(angle) * rotary.magnitude();
                sines[p * half + i] = (float) StrictMath.sin(angle) * rotary.magnitude();
            }
        }
        positions = target;
    }

    /** {@return [positions, half] at least as far as was asked for} */
    float[] cosines() {
        return cosines;
    }

    /** {@return [positions, half] at least as far as was asked for} */
    float[] sines() {
        return sines;
    }

    /** Turns one head. */
    void turn(float[] values, int offset, int position) {
        int row = position * half;
        for (int i = 0; i < half; i++) {
            float first = values[offset + i];
            float second = values[offset + half + i];
            float cosine = cosines[row + i];
            float sine = sines[row + i];
            values[offset + i] = first * cosine - second * sine;
            values[offset + half + i] = second * cosine + first * sine;
        }
    }
}
