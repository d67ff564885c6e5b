package dev.paloverde.gpu.kernels;

/** The operations as their formulas say, in double precision. */
final class Reference {
    private Reference() {}

    /** {@code in * weight^T + bias}: [rows, outputs]. */
    static double[] multiply(float[] in, int rows, int columns, float[] weight, int outputs, float[] bias) {
        double[] out = new double[rows * outputs];
        for (int r = 0; r < rows; r++) {
            for (int o = 0; o < outputs; o++) {
                double sum = bias == null ? 0 : bias[o];
                for (int k = 0; k < columns; k++) {
                    sum += (double) in[r * columns + k] * weight[o * columns + k];
                }
                out[r * outputs + o] = sum;
            }
        }
        return out;
    }

    static double[] normalize(float[] in, int offset, float[] gain, double epsilon) {
        double squares = 0;
        for (int i = 0; i < gain.length; i++) {
            squares += (double) in[offset + i] * in[offset + i];
        }
        double norm = Math.sqrt(squares / gain.length + epsilon);
        double[] out = new double[gain.length];
        for (int i = 0; i < gain.length; i++) {
            out[i] = in[offset + i] / norm * gain[i];
        }
        return out;
    }

    static double silu(double x) {
        return x / (1 + Math.exp(-x));
    }

    static double[] rotate(float[] in, int offset, Rotary rotary, int position) {
        int half = rotary.frequencies().length;
        double[] out = new double[2 * half];
        for (int i = 0; i < half; i++) {
            double angle = (double) position * rotary.frequencies()[i];
            double cosine = Math.cos(angle) * rotary.magnitude();
            double sine = Math.sin(angle) * rotary.magnitude();
            out[i] = in[offset + i] * cosine - in[offset + half + i] * sine;
            out[half + i] = in[offset + half + i] * cosine + in[offset + i] * sine;
        }
        return out;
    }

    /** One query over keys and values [positions][width], of which it sees {@code first} to {@code last}. */
    static double[] attend(
            float[] query, int offset, float[][] keys, float[][] values, int first, int last, double scale) {
        int width = keys[first].length;
        double[] scores = new double[last + 1];
        double max = Double.NEGATIVE_INFINITY;
        for (int p = first; p <= last; p++) {
            for (int i = 0; i < width; i++) {
                scores[p] += (double) query[offset + i] * keys[p][i];
            }
            scores[p] *= scale;
            max = Math.max(max, scores[p]);
        }
        double sum = 0;
        double[] out = new double[width];
        for (int p = first; p <= last; p++) {
            double weight = Math.exp(scores[p] - max);
            sum += weight;
            for (int i = 0; i < width; i++) {
                out[i] += weight * values[p][i];
            }
        }
        for (int i = 0; i < width; i++) {
            out[i] /= sum;
        }
        return out;
    }

    /** {@return log softmax of a row of logits at a token} */
    static double logProbability(double[] logits, int offset, int length, int token) {
        double max = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < length; i++) {
            max = Math.max(max, logits[offset + i]);
        }
        double sum = 0;
        for (int i = 0; i < length; i++) {
            sum += Math.exp(logits[offset + i] - max);
        }
        return logits[offset + token] - max - Math.log(sum);
    }
}
