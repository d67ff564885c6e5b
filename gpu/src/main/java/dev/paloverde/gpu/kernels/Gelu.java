package dev.paloverde.gpu.kernels;

/** The Gaussian error linear unit, in operations that round alike on every machine. */
final class Gelu {
    /** 2 sqrt(2 / pi): tanh(z) = 2 / (1 + exp(-2 z)) - 1, so that the unit is x / (1 + exp(-2 z)). */
    private static final float TWICE_ROOT = 0x1.988454p0f;

    private static final float CUBE = 0.044715f;

    private static final double ROOT_HALF = Math.sqrt(0.5);

    /** Beyond it the complement of the error function is below 1.6e-8, less than half a unit of 1 - it in fp32. */
    private static final double ERF_END = 4;

    private static final double ERF_SMALL = 0.46875;

    /* Rational Chebyshev approximations of erf on |x| <= 0.46875 and of erfc exp(x^2) up to 4: W. J. Cody, Mathematics of
    Computation 23 (1969), 631-637, as in SPECFUN's CALERF. Highest powers last but for the first of each, which is the
    coefficient of the highest. */
    private static final double[] ERF_OVER = {
        1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3
    };
    private static final double[] ERF_UNDER = {
        1, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3
    };
    private static final double[] ERFC_OVER = {
        2.15311535474403846e-8,
        5.64188496988670089e-1,
        8.88314979438837594,
        6.61191906371416295e1,
        2.98635138197400131e2,
        8.81952221241769090e2,
        1.71204761263407058e3,
        2.05107837782607147e3,
        1.23033935479799725e3
    };
    private static final double[] ERFC_UNDER = {
        1,
        1.57449261107098347e1,
        1.17693950891312499e2,
        5.37181101862009858e2,
        1.62138957456669019e3,
        3.29079923573345963e3,
        4.36261909014324716e3,
        3.43936767414372164e3,
        1.23033935480374942e3
    };

    private Gelu() {}

    /** Applies an activation in place. */
    static void apply(Activation activation, float[] values, int offset, int length) {
        for (int i = offset; i < offset + length; i++) {
            values[i] = activation == Activation.GELU ? exact(values[i]) : tanh(values[i]);
        }
    }

    static float tanh(float x) {
        float inner = TWICE_ROOT * Math.fma(CUBE * x * x, x, x);
        return x / (1 + Arithmetic.exp(-inner));
    }

    static float exact(float x) {
        return (float) (0.5 * x * erfcOfMinus(x * ROOT_HALF));
    }

    /** {@return 1 + erf(x)} */
    private static double erfcOfMinus(double x) {
        double size = Math.abs(x);
        if (size <= ERF_SMALL) {
            double square = x * x;
            return 1 + x * polynomial(ERF_OVER, square) / polynomial(ERF_UNDER, square);
        }
        double tail = size < ERF_END
                ? Arithmetic.exp((float) (-size * size)) * polynomial(ERFC_OVER, size) / polynomial(ERFC_UNDER, size)
                : size >= ERF_END ? 0 : Double.NaN;
        return x < 0 ? tail : 2 - tail;
    }

    private static double polynomial(double[] coefficients, double x) {
        double sum = coefficients[0];
        for (int i = 1; i < coefficients.length; i++) {
            sum = sum * x + coefficients[i];
        }
        return sum;
    }
}
