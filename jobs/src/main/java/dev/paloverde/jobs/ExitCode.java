package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;

/** How a job ends, as schedulers see it. A run that ends with any of these may be run again; it resumes. */
public enum ExitCode {
    /** Every row has its result; rows that failed on their own account have {@code status = error}. */
    OK(0),
    /** A defect of Paloverde, or a failure of Spark that no other code names. */
    INTERNAL(1),
    /** An option is unknown, missing or out of range. Nothing was done. */
    USAGE(2),
    /** The input cannot be read, or lacks a column. Nothing was done. */
    INPUT(3),
    /** The model is missing, damaged or of a kind that is not supported. */
    MODEL(4),
    /** The output holds something else, or cannot be written. */
    OUTPUT(5),
    /** The device is missing, its memory does not suffice, or the engine on it has failed. */
    DEVICE(6),
    /** All is written, but a larger share of rows failed than {@code --max-error-rate} allows. */
    ROWS_FAILED(7),
    /** All that could be read is written, but some input files could not be read. */
    INPUT_INCOMPLETE(8);

    private final int status;

    ExitCode(int status) {
        this.status = status;
    }

    /** {@return the process's exit status} */
    public int status() {
        return status;
    }

    /** {@return how a job ends that an error of this code has ended} */
    static ExitCode of(ErrorCode code) {
        return switch (code) {
            case INVALID_OPTION -> USAGE;
            case INPUT_UNREADABLE -> INPUT;
            case MODEL_NOT_FOUND, MODEL_CORRUPT, TENSOR_MISSING, UNSUPPORTED_MODEL, TOKENIZER_MISMATCH, MODEL_CHANGED ->
                MODEL;
            case OUTPUT_EXISTS, OUTPUT_UNWRITABLE -> OUTPUT;
            case DEVICE_UNAVAILABLE, OUT_OF_MEMORY, ENGINE_FAILED -> DEVICE;
            default -> INTERNAL;
        };
    }
}
