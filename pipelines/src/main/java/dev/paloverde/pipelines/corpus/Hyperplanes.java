package dev.paloverde.pipelines.corpus;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.util.Random;

/**
 * On which sides of random planes through the origin a vector lies (Charikar, "Similarity Estimation Techniques from
 * Rounding Algorithms", STOC 2002): a plane divides two vectors with the probability of their angle over pi. The planes'
 * normals are drawn from a normal distribution by {@link Random}, whose numbers are the same in every Java.
 */
final class Hyperplanes implements Serializable {
    /** Planes of a sketch. */
    static final int SKETCH_BITS = 256;

    private static final long serialVersionUID = 1L;

    private final long seed;
    private final int width;
    private final int bands;
    private final int bits;

    /** Drawn where they are used: they are larger than what they are drawn from. */
    private transient volatile float[][] normals;

    Hyperplanes(long seed, int width, int bands, int bits) {
        this.seed = seed;
        this.width = width;
        this.bands = bands;
        this.bits = bits;
    }

    int bands() {
        return bands;
    }

    /** {@return the sides of the planes of a band, a bit each} */
    long bucket(float[] vector, int band) {
        long sides = 0;
        for (int i = 0; i < bits; i++) {
            sides = sides << 1 | side(vector, SKETCH_BITS + band * bits + i);
        }
        return sides;
    }

    /** {@return the sides of planes that no band has} */
    byte[] sketch(float[] vector) {
        ByteBuffer sketch = ByteBuffer.allocate(SKETCH_BITS / Byte.SIZE);
        for (int i = 0; i < SKETCH_BITS; i += Long.SIZE) {
            long sides = 0;
            for (int j = 0; j < Long.SIZE; j++) {
                sides = sides << 1 | side(vector, i + j);
            }
            sketch.putLong(sides);
        }
        return sketch.array();
    }

    /** {@return in how many bits two sketches differ} */
    static int different(byte[] one, byte[] other) {
        ByteBuffer a = ByteBuffer.wrap(one);
        ByteBuffer b = ByteBuffer.wrap(other);
        int different = 0;
        while (a.hasRemaining()) {
            different += Long.bitCount(a.getLong() ^ b.getLong());
        }
        return different;
    }

    private long side(float[] vector, int plane) {
        float[] normal = normals()[plane];
        double sum = 0;
        for (int i = 0; i < vector.length; i++) {
            sum += (double) vector[i] * normal[i];
        }
        return sum >= 0 ? 1 : 0;
    }

    private float[][] normals() {
        float[][] drawn = normals;
        if (drawn == null) {
            Random random = new Random(seed);
            drawn = new float[SKETCH_BITS + bands * bits][width];
            for (float[] normal : drawn) {
                for (int i = 0; i < width; i++) {
                    normal[i] = (float) random.nextGaussian();
                }
            }
            normals = drawn;
        }
        return drawn;
    }
}
