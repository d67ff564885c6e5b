package dev.paloverde.gpu.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.kernels.Rotary;

/** How a model's rotary frequencies are stretched beyond the context it was first trained on. */
public sealed interface RotaryScaling {
    /**
     * Frequencies in fp32, operation by operation as transformers computes them, so that a position far out is turned
     * by the same angle.
     *
     * @param width dimension of a head, even
     * @param theta base of the geometric sequence of wavelengths
     */
    Rotary rotary(int width, double theta);

    /** {@return the positions the stretched model can tell apart, given what its configuration says} */
    default int context(int positions) {
        return positions;
    }

    /** No scaling: {@code theta^(-2i / width)} (Su et al., arXiv 2104.09864, section 3.3). */
    record None() implements RotaryScaling {
        @Override
        public Rotary rotary(int width, double theta) {
            return new Rotary(inverse(powers(width, theta), 1), 1);
        }
    }

    /** All frequencies divided by a factor (Chen et al., arXiv 2306.15595). */
    record Linear(double factor) implements RotaryScaling {
        @Override
        public Rotary rotary(int width, double theta) {
            float[] frequencies = inverse(powers(width, theta), 1);
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] /= (float) factor;
            }
            return new Rotary(frequencies, 1);
        }
    }

    /**
     * Llama 3.1's: long waves are divided by the factor, short ones kept, those between are blended.
     *
     * @param factor divides the long waves
     * @param lowFrequency waves longer than {@code originalContext / lowFrequency} are long
     * @param highFrequency waves shorter than {@code originalContext / highFrequency} are short
     * @param originalContext positions first trained on
     */
    record Llama3(double factor, double lowFrequency, double highFrequency, int originalContext)
            implements RotaryScaling {
        @Override
        public Rotary rotary(int width, double theta) {
            float[] frequencies = inverse(powers(width, theta), 1);
            float longest = (float) (originalContext / lowFrequency);
            float shortest = (float) (originalContext / highFrequency);
            for (int i = 0; i < frequencies.length; i++) {
                float frequency = frequencies[i];
                float wave = (float) (2 * Math.PI) / frequency;
                if (wave > longest) {
                    frequencies[i] = frequency / (float) factor;
                } else if (wave >= shortest) {
                    float smooth =
                            (originalContext / wave - (float) lowFrequency) / (float) (highFrequency - lowFrequency);
                    frequencies[i] = (1 - smooth) * frequency / (float) factor + smooth * frequency;
                }
            }
            return new Rotary(frequencies, 1);
        }
    }

    /**
     * YaRN (Peng et al., arXiv 2309.00071, section 3.4).
     *
     * @param factor how far the context is stretched
     * @param fast components that turn more often than this over the original context are kept
     * @param slow components that turn less often than this over the original context are divided by the factor
     * @param originalContext positions first trained on
     * @param magnitude factor of the rotated components
     * @param truncated whether the bounds between the two are rounded outwards to whole components
     */
    record Yarn(double factor, double fast, double slow, int originalContext, double magnitude, boolean truncated)
            implements RotaryScaling {
        @Override
        public Rotary rotary(int width, double theta) {
            double first = component(fast, width, theta);
            double last = component(slow, width, theta);
            if (truncated) {
                first = Math.floor(first);
                last = Math.ceil(last);
            }
            first = Math.max(first, 0);
            last = Math.min(last, width - 1);
            if (first == last) {
                last += 0.001;
            }
            float[] powers = powers(width, theta);
            float[] kept = inverse(powers, 1);
            float[] stretched = inverse(powers, (float) factor);
            float[] frequencies = new float[powers.length];
            for (int i = 0; i < frequencies.length; i++) {
                float ramp = (float) Math.min(Math.max((i - (float) first) / (float) (last - first), 0), 1);
                float keep = 1 - ramp;
                frequencies[i] = stretched[i] * (1 - keep) + kept[i] * keep;
            }
            return new Rotary(frequencies, (float) magnitude);
        }

        @Override
        public int context(int positions) {
            return (int) Math.max(positions, Math.min(originalContext * factor, Integer.MAX_VALUE));
        }

        /** The component that turns so many times over the original context. */
        private double component(double turns, int width, double theta) {
            return width * Math.log(originalContext / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
        }
    }

    /**
     * Reads {@code rope_parameters} (transformers 5) or {@code rope_scaling} (4).
     *
     * @param fields the parameters; empty if there are none
     * @param model the whole configuration
     * @param positions {@code max_position_embeddings}
     */
    static RotaryScaling of(Fields fields, Fields model, int positions) {
        for (JsonNode value : fields.object()) {
            if (value.isObject()) {
                throw unsupported(fields, "rope_parameters per layer type", "one set of parameters for all layers");
            }
        }
        String type = fields.text("rope_type", fields.text("type", "default"));
        // ahead of the nested field, as transformers has it
        int original = model.integer(
                "original_max_position_embeddings",
                fields.integer("original_max_position_embeddings", positions, 1, Integer.MAX_VALUE),
                1,
                Integer.MAX_VALUE);
        return switch (type) {
            case "default" -> new None();
            case "linear" -> new Linear(factor(fields));
            case "llama3" -> {
                double low = required(fields, "low_freq_factor");
                double high = required(fields, "high_freq_factor");
                if (high <= low) {
                    throw fields.wrong(
                            "high_freq_factor", fields.node("high_freq_factor"), "more than low_freq_factor, " + low);
                }
                yield new Llama3(factor(fields), low, high, original);
            }
            case "yarn" -> yarn(fields, original);
            default ->
                throw unsupported(fields, "rope_type '%s'".formatted(type), "'default', 'linear', 'llama3' or 'yarn'");
        };
    }

    private static Yarn yarn(Fields fields, int original) {
        double factor = factor(fields);
        double scale = fields.number("mscale", 0, 0, 1e6);
        double scaleAll = fields.number("mscale_all_dim", 0, 0, 1e6);
        double implied = scale != 0 && scaleAll != 0
                ? magnitude(factor, scale) / magnitude(factor, scaleAll)
                : magnitude(factor, 1);
        double fast = fields.number("beta_fast", 0, 0, 1e6);
        double slow = fields.number("beta_slow", 0, 0, 1e6);
        return new Yarn(
                factor,
                fast == 0 ? 32 : fast,
                slow == 0 ? 1 : slow,
                original,
                fields.number("attention_factor", implied, 0, 1e6),
                fields.flag("truncate", true));
    }

    private static double magnitude(double factor, double scale) {
        return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
    }

    private static double factor(Fields fields) {
        return required(fields, "factor");
    }

    private static double required(Fields fields, String key) {
        if (!fields.has(key)) {
            throw new PaloverdeException(
                    ErrorCode.MODEL_CORRUPT,
                    "%s: the rotary parameters %s have no %s".formatted(fields.file(), fields.object(), key));
        }
        return fields.number(key, 0, 1e-6, 1e9);
    }

    private static PaloverdeException unsupported(Fields fields, String what, String supported) {
        return new PaloverdeException(
                ErrorCode.UNSUPPORTED_MODEL,
                "%s asks for %s; Paloverde runs %s".formatted(fields.file(), what, supported));
    }

    /** {@code theta^(2i / width)} in fp32. */
    private static float[] powers(int width, double theta) {
        float[] powers = new float[width / 2];
        for (int i = 0; i < powers.length; i++) {
            powers[i] = (float) Math.pow((float) theta, (float) (2 * i) / width);
        }
        return powers;
    }

    private static float[] inverse(float[] powers, float factor) {
        float[] frequencies = new float[powers.length];
        for (int i = 0; i < powers.length; i++) {
            frequencies[i] = 1 / (factor * powers[i]);
        }
        return frequencies;
    }
}
