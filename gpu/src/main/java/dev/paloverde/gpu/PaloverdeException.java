package dev.paloverde.gpu;

/** The one exception of Paloverde: a code to count by, and a message that names the value and the fix. */
public final class PaloverdeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ErrorCode code;

    /**
     * @param code what kind of failure it is
     * @param message what was found, with its value, and what to do about it
     */
    public PaloverdeException(ErrorCode code, String message) {
        this(code, message, null);
    }

    /**
     * @param code what kind of failure it is
     * @param message what was found, with its value, and what to do about it
     * @param cause the failure below, or null
     */
    public PaloverdeException(ErrorCode code, String message, Throwable cause) {
        super(message, cause);
        this.code = code;
    }

    /** {@return what kind of failure it is} */
    public ErrorCode code() {
        return code;
    }
}
